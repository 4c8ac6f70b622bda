import click

from score import auc


@click.command()
@click.option("--lr", type=float, default=0.3, show_default=True, help="learning rate")
@click.option("--width", type=int, default=4)
@click.option("--optimizer", type=click.Choice(["sgd", "adam"]), default="sgd")
@click.option("--flip/--no-flip", default=True)
def main(lr, width, optimizer, flip):
    for fold in range(2):
        click.echo(f"{optimizer} flip={flip} fold {fold} auc {auc(lr, width, fold):.4f}")


if __name__ == "__main__":
    main()
