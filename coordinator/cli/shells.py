"""Completion in shells: click's classes, with scripts that know words such as `base@local-v3` and `optim.lr=`."""

from __future__ import annotations

import os
from typing import Any

import click
from click import shell_completion
from click.shell_completion import CompletionItem, split_arg_string

PROGRAM, VARIABLE = "coord", "_COORD_COMPLETE"

_BASH = """\
# Completion of coord for bash 4.4 and later.
%(complete_func)s() {
    local kind value line="${COMP_LINE:0:COMP_POINT}" last="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS="$line" COMP_CWORD="$last" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_ZSH = """\
#compdef %(prog_name)s
# Completion of coord for zsh.
%(complete_func)s() {
    local kind value about
    local -a plain open lines
    (( $+commands[%(prog_name)s] )) || return 1
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for kind value about in "${lines[@]}"; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            open) open+=("$value:$about") ;;
            plain) plain+=("$value:$about") ;;
        esac
    done
    (( $#plain )) && _describe -V unsorted plain -U
    (( $#open )) && _describe -V unsorted open -U -S ''
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef %(complete_func)s %(prog_name)s
fi
"""
_FISH = """\
# Completion of coord for fish.
function %(complete_func)s
    set -l lines (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp | string collect --allow-empty) \\
        COMP_CWORD=(commandline -ct | string collect --allow-empty) %(prog_name)s 2>/dev/null)
    for line in $lines
        set -l parts (string split --max 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain open
                echo $parts[2]
        end
    end
end
complete --command %(prog_name)s --no-files --arguments "(%(complete_func)s)"
"""


class Bash(shell_completion.BashComplete):
    """Its words are split here: bash would split at `@` and `=`, too, as its `COMP_WORDBREAKS` says."""

    source_template = _BASH

    def source(self) -> str:
        return self.source_template % self.source_vars()  # click's starts a bash, to warn of old ones

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        last = os.environ["COMP_CWORD"].lstrip("=:@")
        self._before = incomplete.removesuffix(last) if incomplete.endswith(last) else ""
        return words, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type}\t{str(item.value).removeprefix(self._before)}"


class Zsh(shell_completion.ZshComplete):
    """Click's, with a script that adds no space behind `optim.lr=`."""

    source_template = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = item.value.replace(":", r"\:")
        return f"{item.type}\n{value}\n{item.help or value}"


class Fish(shell_completion.FishComplete):
    """Click's, with a script that passes an empty word on."""

    source_template = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])[1:]
        incomplete = "".join(split_arg_string(os.environ["COMP_CWORD"])[:1])
        if incomplete and words[-1:] == [incomplete]:
            words.pop()
        return words, incomplete


SHELLS: dict[str, type[Bash | Zsh | Fish]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def script(shell: str) -> str:
    """What makes the shell complete coord."""
    return SHELLS[shell](click.Command(PROGRAM), {}, PROGRAM, VARIABLE).source()


def complete(command: click.Command, instruction: str) -> None:
    """Prints the completions that the shell has asked for (`bash_complete`, ...); nothing if that fails."""
    from coordinator.cli.completers import prepare

    shell = SHELLS.get(instruction.partition("_")[0])
    if shell is None:
        return
    try:
        prepare(command)
        text = shell(command, {}, PROGRAM, VARIABLE).complete()
    except Exception:  # whatever it is: the shell goes on without completions
        return
    click.echo(text.encode("utf-8", "surrogateescape"))
