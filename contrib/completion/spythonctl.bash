# SPDX-License-Identifier: Apache-2.0
# Completion of spythonctl's verbs, options and arguments for bash. tests/e2e/test_spythonctl.py
# compares the words with `spythonctl --help`.

_spythonctl() {
    local verbs="interpreter venv check apply confirm off on rollback show status ps help"
    local interpreter_verbs="add list remove check default"
    local venv_verbs="adopt list remove"
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local words=() i

    # The words that are no options, without the program and the one being completed.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --prefix | --confirm-within | --for | --reason) ((i++)) ;;
        -*) ;;
        *) words+=("${COMP_WORDS[i]}") ;;
        esac
    done

    COMPREPLY=()
    if [[ $previous == --prefix ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
    fi
    if [[ ${words[0]:-} == help ]]; then
        words=("${words[@]:1}")
    fi

    local choices="" options="--help --prefix"
    case "${words[*]}" in
    "")
        choices=$verbs
        options="$options --version"
        ;;
    interpreter) choices=$interpreter_verbs ;;
    venv) choices=$venv_verbs ;;
    "interpreter list" | "interpreter check" | "venv list" | check | show | status)
        options="$options --json"
        ;;
    apply) options="$options --dry-run --confirm-within" ;;
    off) options="$options --for --reason" ;;
    ps) options="$options --json --stale" ;;
    esac

    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
        return
    fi
    case "${words[*]}" in
    "interpreter add"* | "venv adopt" | check)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    "interpreter remove" | "interpreter default")
        choices=$("${COMP_WORDS[0]}" interpreter list 2>/dev/null | sed -nE 's/^(3\.[0-9]+).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
        ;;
    esac
}

complete -F _spythonctl spythonctl
