/**
 * The script for bash. The package has one, too; ours needs no bash-completion, which bash alone does not bring, runs
 * nothing of what stands on the line (`$(…)` in a word is text), and knows that bash ends words at colons, of which
 * MACs and IPv6 addresses are full.
 */

/** @returns what bash is to read, for a command of that name */
export function bashScript(name: string): string {
  return `# Completion of ${name} for bash 4 and newer: source <(${name} complete bash)
_${name}() {
  local line="\${COMP_LINE:0:COMP_POINT}" cur out directive value rest
  local -a words
  IFS=$' \\t\\n' read -ra words <<< "$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  cur="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  out="$("$1" complete -- "\${words[@]:1}" 2>/dev/null)" || return 0
  directive="\${out##*:}"
  while IFS=$'\\t' read -r value rest; do
    [[ -n $value ]] && COMPREPLY+=("$value")
  done <<< "\${out%:*}"
  # Readline puts a word behind the last colon or equals sign, where COMP_WORDBREAKS has them.
  cur="\${cur##*=}"
  [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("\${COMPREPLY[@]#"\${cur%"\${cur##*:}"}"}")
  # Names of files only where one is meant.
  ((directive & 4)) && compopt +o default 2>/dev/null
  return 0
}
complete -o default -F _${name} ${name}
`;
}
