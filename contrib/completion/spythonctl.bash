# SPDX-License-Identifier: Apache-2.0
# Completion of spythonctl's verbs, options and arguments for bash. tests/e2e/test_spythonctl.py
# compares the words with `spythonctl --help`.

_spythonctl() {
    local verbs="interpreter venv keygen sign verify trust manifest hooks check apply confirm off on
        rollback show status ps explain help"
    local interpreter_verbs="add list remove check default"
    local venv_verbs="adopt list remove"
    local trust_verbs="add list revoke remove"
    local manifest_verbs="add list remove"
    local hooks_verbs="take list"
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local words=() i

    # The words that are no options, without the program and the one being completed.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --prefix | --name | --key | --format | --cert | --tool-option | --out | --serial | --exclude | \
            --jobs | --from-log | --manifest | --reason | --comment | --log | --confirm-within | \
            --for) ((i++)) ;;
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
    case $previous in
    --format)
        mapfile -t COMPREPLY < <(compgen -W "ssh cms openpgp" -- "$current")
        return
        ;;
    --key | --cert | --out | --from-log | --manifest | --log)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --name | --tool-option | --serial | --exclude | --jobs | --reason | --comment) return ;;
    esac
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
    trust) choices=$trust_verbs ;;
    manifest) choices=$manifest_verbs ;;
    hooks) choices=$hooks_verbs ;;
    keygen) options="$options --out --comment --no-passphrase" ;;
    sign*)
        options="$options --name --key --format --cert --tool-option --out --serial --exclude --jobs"
        options="$options --from-log --verity --no-compile --list-unowned"
        ;;
    verify*) options="$options --manifest --no-signature --exclude --jobs --json" ;;
    "trust add"*) options="$options --name" ;;
    "trust revoke"*) options="$options --reason" ;;
    "manifest add"*) options="$options --allow-older --reason" ;;
    explain*) options="$options --json --log" ;;
    "interpreter list" | "interpreter check" | "venv list" | "trust list" | "manifest list" | \
        "hooks list" | check | show | status)
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
    "interpreter add"* | "venv adopt" | check | sign | verify | "trust add" | "manifest add"*)
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
