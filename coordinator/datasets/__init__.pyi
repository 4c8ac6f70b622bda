from .push import push_folder as push_folder
