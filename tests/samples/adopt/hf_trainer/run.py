from dataclasses import dataclass, field

import torch
from transformers import HfArgumentParser, Trainer, TrainingArguments


@dataclass
class ModelArguments:
    width: int = field(default=4, metadata={"help": "features of the hidden layer"})


class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.Linear(width, 1))

    def forward(self, x, labels=None):
        out = self.layers(x).squeeze(1)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}


if __name__ == "__main__":
    model_args, training_args = HfArgumentParser((ModelArguments, TrainingArguments)).parse_args_into_dataclasses()
    torch.manual_seed(training_args.seed)
    rows = [{"x": x, "labels": x.sum()} for x in torch.rand(32, 2)]
    trainer = Trainer(Net(model_args.width), training_args, train_dataset=rows, eval_dataset=rows)
    trainer.train()
    trainer.save_state()
