"""The variables of the environment that coord, its local Kaggle and the programs in kernels read or set, as one table.

A test compares it with every place in the code that reads a variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["you", "program", "kaggle", "system", "internal"]
SIDES: dict[Side, str] = {
    "you": "You set them, for coord",
    "program": "coord sets them, for your program in a kernel",
    "kaggle": "Kaggle's own: credentials, and what a session has",
    "system": "Of the system and of other programs",
    "internal": "Between parts of coord: nothing to set",
}
"""The parts of the table, in their order, with their headings."""


@dataclass(frozen=True)
class Variable:
    """One variable, or a family of them: `<NAME>` stands for any name."""

    name: str
    side: Side
    about: str
    example: str = ""


VARIABLES = (
    Variable("_COORD_COMPLETE", "internal", "Which shell's script asks for completions.", "bash_complete"),
    Variable("COMP_WORDS", "internal", "The line that a shell's script asks to complete.", "coord push b"),
    Variable("COMP_CWORD", "internal", "The word of it that is completed, or its number.", "2"),
    Variable(
        "COORD_TARGET",
        "you",
        "The target, where `--target` names none: kaggle, local, or one of [tool.coord.targets].",
        "local",
    ),
    Variable(
        "COORD_TRUST",
        "you",
        "Roots of projects that belong to another user and may be used nevertheless; several are separated by `:`.",
        "/srv/team/game",
    ),
    Variable(
        "COORD_KAGGLE_ENDPOINT",
        "you",
        "Another address for the target kaggle, for example of `coord local serve`.",
        "http://127.0.0.1:7788",
    ),
    Variable(
        "COORD_SSH_CONFIG",
        "you",
        "ssh's configuration for clusters, instead of ~/.ssh/config.",
        "/home/ada/lab/ssh_config",
    ),
    Variable("COORD_CONFIG", "program", "Path of the resolved config, a JSON file.", "/tmp/coord-x/config.json"),
    Variable("COORD_EXPERIMENT", "program", "Name of the experiment.", "lr001_step4"),
    Variable(
        "COORD_RUN_ID", "program", "Identity of the run, which the push wrote into the script; - without one.", "-"
    ),
    Variable(
        "COORD_BUNDLE_DIGEST", "program", "Digest of the script, by which a result is connected with it.", "0bbc…"
    ),
    Variable("COORD_NEED", "program", "Folder of the one experiment that this one needs.", "/kaggle/input/ada-train"),
    Variable(
        "COORD_NEED_<NAME>",
        "program",
        "Folder of the need that is called so, in capitals.",
        "/kaggle/input/ada-train",
    ),
    Variable(
        "COORD_KAGGLE_ROOT",
        "program",
        "Folder that stands in for /kaggle: in dry runs and sessions on this machine that are not isolated.",
        "/home/ada/game/.coord/dry-run/base",
    ),
    Variable("KAGGLE_API_TOKEN", "kaggle", "Your access token, or the path of the file that has it.", "~/.token"),
    Variable("KAGGLE_USERNAME", "kaggle", "User name of the older API key.", "ada"),
    Variable("KAGGLE_KEY", "kaggle", "The older API key.", ""),
    Variable("KAGGLE_CONFIG_DIR", "kaggle", "Folder with kaggle.json, instead of ~/.kaggle.", "~/secrets"),
    Variable("KAGGLE_API_V1_TOKEN", "kaggle", "In a session: path of the file with the session's token."),
    Variable("KAGGLE_API_V1_TOKEN_PATH", "kaggle", "The same, as other clients call it."),
    Variable("KAGGLE_KERNEL_RUN_TYPE", "kaggle", "In a session: Batch or Interactive.", "Batch"),
    Variable(
        "KAGGLE_DATA_PROXY_URL", "kaggle", "In a session: with the variable above, coord knows that it is in one."
    ),
    Variable("KAGGLE_DOCKER_IMAGE", "kaggle", "In a session: its image, which the included model reports."),
    Variable("KAGGLE_URL_BASE", "kaggle", "In a session: Kaggle's address, for `kaggle_web_client`."),
    Variable("KAGGLE_USER_SECRETS_TOKEN", "kaggle", "In a session: the token of `kaggle_secrets`."),
    Variable("ISTPUVM", "kaggle", "In a session: set on a TPU's machine."),
    Variable("SHELL", "system", "The user's shell, which `coord completion install` is for."),
    Variable("ZDOTDIR", "system", "Folder of zsh's .zshrc.", "~/.config/zsh"),
    Variable("XDG_DATA_HOME", "system", "Folder of data: the completions' scripts for bash and zsh.", "~/.local/share"),
    Variable(
        "XDG_CONFIG_HOME",
        "system",
        "Folder of settings: kaggle.json may be in its folder kaggle; fish's completions.",
        "~/.config",
    ),
    Variable("HOME", "system", "Your folder; in a session, its own."),
    Variable(
        "HTTPS_PROXY",
        "system",
        "Proxy for Kaggle; also http_proxy, all_proxy, and in small letters.",
        "http://proxy:3128",
    ),
    Variable("NO_PROXY", "system", "Addresses without a proxy. This machine's never need one.", "localhost"),
    Variable("SSLKEYLOGFILE", "system", "File for the keys of TLS, which Python's library writes."),
    Variable("DISPLAY", "system", "A screen (X11): `coord ui` opens a browser only where there is one.", ":0"),
    Variable("WAYLAND_DISPLAY", "system", "The same for Wayland.", "wayland-0"),
    Variable("TERM", "system", "`dumb` turns off links and lines that change.", "dumb"),
    Variable("COLUMNS", "system", "Width of tables, where it is not the terminal's; 160 in a file or a pipe.", "100"),
    Variable("LINES", "system", "Height of the terminal, for what is redrawn.", "40"),
    Variable(
        "TMPDIR", "system", "Folder for temporary files, also for the sources of a kernel that runs here.", "/scratch"
    ),
    Variable("PYTHONPATH", "system", "Further folders of modules; a kernel puts its own before them."),
    Variable("SUDO_UID", "system", "Under sudo: the user whose projects are one's own, too."),
    Variable("LD_LIBRARY_PATH", "system", "Folders of libraries, which isolated sessions see, too."),
    Variable("RANK", "system", "Of torchrun: which process it is; only the first reports."),
    Variable("CUBLAS_WORKSPACE_CONFIG", "system", "Of CUDA: set where `train.deterministic` asks for equal results."),
    Variable("WORLD_SIZE", "system", "Of torchrun: how many processes there are."),
    Variable("LOCAL_RANK", "system", "Of torchrun: which graphics card is this process's."),
    Variable("LOCAL_WORLD_SIZE", "system", "Of torchrun: how many processes there are on this machine."),
    Variable("MASTER_ADDR", "system", "Of torchrun: where the first process listens."),
    Variable("OMP_NUM_THREADS", "system", "Threads of a process; the included model divides them among its processes."),
    Variable("WANDB_ERROR_REPORTING", "system", "W&B's own; `coord export` turns it off unless you set it.", "false"),
    Variable(
        "COORD_OVERRIDES", "internal", "Config values that a dry run sets in the very script that would be pushed."
    ),
    Variable(
        "COORD_ERRORS", "internal", "Folder in which the processes of the included model leave what stopped them."
    ),
    Variable("COORD_GATEWAY", "internal", "In a rerun of the local Kaggle: the gateway's program."),
    Variable("COORD_GATEWAY_DATA", "internal", "In a rerun of the local Kaggle: the hidden data of the gateway."),
    Variable("COORD_GATEWAY_HOSTS", "internal", "In a rerun of the local Kaggle: a file with the names of hosts."),
)
