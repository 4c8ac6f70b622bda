from .open import open_page as open_page
