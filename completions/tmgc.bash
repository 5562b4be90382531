# bash completion for tmgc
_tmgc() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local commands="$(tmgc help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p') help"
    case $before in
    -t | --target) COMPREPLY=($(compgen -W "nginx haproxy publishd nginx,haproxy" -- "$word")); return ;;
    --fail-on) COMPREPLY=($(compgen -W "error warning info never" -- "$word")); return ;;
    --format) COMPREPLY=($(compgen -W "text json markdown csv html sarif" -- "$word")); return ;;
    --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")); return ;;
    -o | --output | --keep | --configs) COMPREPLY=($(compgen -d -- "$word")); return ;;
    help) COMPREPLY=($(compgen -W "$commands" -- "$word")); return ;;
    esac
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "$commands --help --version" -- "$word"))
    elif [[ $word == -* ]]; then
        # the options are those that the command's own help names
        COMPREPLY=($(compgen -W "$(tmgc help "$command" 2>/dev/null | grep -o -- '--[a-z-]*')" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _tmgc tmgc
