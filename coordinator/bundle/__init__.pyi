from . import image_probe as image_probe, program as program, reader as reader
from .arguments import paths_named as paths_named
from .bootstrap import STAMP as STAMP, digest_of as digest_of, stamp_of as stamp_of
from .files import SourceFile as SourceFile
from .fit import Packages as Packages, fit_to_image as fit_to_image, modules_imported as modules_imported
from .image import (
    Image as Image,
    image_from as image_from,
    image_of as image_of,
    normalised as normalised,
    shipped_image as shipped_image,
)
from .image_probe import PREFIX as PREFIX
from .installed import place as place
from .notebook import Notebook as Notebook, notebook_of as notebook_of, script_in as script_in
from .reader import Kernel as Kernel, read_kernel as read_kernel
from .script import (
    AUTOMATIC as AUTOMATIC,
    Content as Content,
    Script as Script,
    Wheels as Wheels,
    fits as fits,
    largest_files as largest_files,
    render_script as render_script,
    stamped as stamped,
)
from .secrets import Guard as Guard
from .sources import Collected as Collected, ReadOnce as ReadOnce, Selection as Selection, gather as gather
from .syntax import newer_syntax_explained as newer_syntax_explained
from .told import Told as Told, missing_files as missing_files, missing_inputs as missing_inputs
from .vendor import marker_environment as marker_environment
