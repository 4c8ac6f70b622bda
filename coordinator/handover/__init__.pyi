from .choice import ended as ended
from .destination import Destination as Destination
from .record import record_of as record_of
from .to_mlflow import MlflowStore as MlflowStore
from .to_tensorboard import TensorboardFolder as TensorboardFolder
from .to_wandb import WandbFolder as WandbFolder
