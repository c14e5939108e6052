#include <fmt/core.h>

#include "cli/completion.h"

namespace berth::cli {
namespace {

// Bash takes words apart at '@' and '=', which belong to ours: they are put together again, and what stands before the last such sign is not repeated. What bash puts
// in the place of a word begins at an '@', and after a '='.
constexpr const char* kBash = R"sh(# bash completion for berth
_berth() {
  local rest="${COMP_LINE:0:COMP_POINT}" words=() answer=() word i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    ((i == COMP_CWORD)) && word="${rest#"${rest%%[![:space:]]*}"}"
    if ((i == 0)) || [[ "$rest" == [[:space:]]* ]]; then words+=("$word"); else words[-1]+="$word"; fi
    rest="${rest#"${rest%%[![:space:]]*}"}"
    rest="${rest#"$word"}"
  done
  mapfile -t answer < <(command berth complete -- "${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  case "${answer[0]}" in
    :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]##*=}"); return ;;
    :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "${words[-1]##*=}"); return ;;
  esac
  COMPREPLY=("${answer[@]%%$'\t'*}")
  local breaks="" sign known
  for sign in @ =; do [[ "$COMP_WORDBREAKS" == *"$sign"* ]] && breaks+="$sign"; done
  if [[ -n "$breaks" && "${words[-1]}" == *["$breaks"]* ]]; then
    known="${words[-1]%"${words[-1]##*["$breaks"]}"}"
    known="${known%@}"
    COMPREPLY=("${COMPREPLY[@]#"$known"}")
  fi
  [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[@=/] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _berth berth
)sh";

constexpr const char* kZsh = R"sh(#compdef berth
_berth() {
  local -a answer plain open plain_text open_text
  local line word text
  answer=("${(@f)$(command berth complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  case "${answer[1]}" in
    :files) compset -P '--*='; _files; return ;;
    :folders) compset -P '--*='; _files -/; return ;;
  esac
  for line in "${answer[@]}"; do
    [[ -n "$line" ]] || continue
    word="${line%%$'\t'*}" text="${line#*$'\t'}"
    [[ "$line" == *$'\t'* ]] && text="$word  -- $text" || text="$word"
    if [[ "$word" == *[@=/] ]]; then open+=("$word"); open_text+=("$text"); else plain+=("$word"); plain_text+=("$text"); fi
  done
  (( $#plain )) && compadd -l -d plain_text -- "${plain[@]}"
  (( $#open )) && compadd -l -S '' -d open_text -- "${open[@]}"
  return 0
}
if [[ "$funcstack[1]" = _berth ]]; then _berth "$@"; else compdef _berth berth; fi
)sh";

constexpr const char* kFish = R"sh(# fish completion for berth
function __berth_complete
    set -l typed (commandline -ct)
    set -l before (commandline -opc)
    set -l answer (command berth complete -- $before[2..-1] "$typed" 2>/dev/null)
    switch "$answer[1]"
        case ':files' ':folders'
            set -l head (string match -r '^--[^=]*=' -- $typed)
            set -l value (string replace -r '^--[^=]*=' '' -- $typed)
            set -l paths (__fish_complete_path "$value")
            test "$answer[1]" = ':folders'; and set paths (__fish_complete_directories "$value")
            for path in $paths
                echo "$head$path"
            end
        case '*'
            test (count $answer) -gt 0; and printf '%s\n' $answer
    end
end
complete -c berth -f -a '(__berth_complete)'
)sh";

}  // namespace

Result<std::string> completion_script(const std::string& shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return fail(Errc::usage, fmt::format("berth completion: '{}' is no shell it knows: bash, zsh or fish", shell));
}

}  // namespace berth::cli
