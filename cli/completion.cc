#include "cli/completion.h"

#include <map>

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace berth::cli {
namespace {

const char* kind_of(Completes completes) {
  switch (completes) {
    case Completes::app: return "app";
    case Completes::built_app: return "built-app";
    case Completes::release: return "release";
    case Completes::release_id: return "release-id";
    case Completes::process: return "process";
    case Completes::job: return "job";
    case Completes::instance: return "instance";
    case Completes::folder: return "folder";
    case Completes::file: return "file";
    case Completes::verb:
    case Completes::nothing: return "";
  }
  return "";
}

/// What a script needs to know of a verb, by how it is called: "repo init".
struct Completion {
  std::string path;
  std::string words;  ///< verbs below and options
  std::string kind;   ///< of its first argument
  std::string second; ///< the values of its second one, where those are few
};

void collect(const Verb& root, const Verb& verb, const std::string& path, std::vector<Completion>& entries) {
  if (verb.hidden) return;
  std::vector<std::string> words;
  for (const Verb& below : verb.verbs)
    if (!below.hidden) words.push_back(below.name);
  std::vector<const Option*> options;
  for (const Option& option : verb.options) options.push_back(&option);
  if (&verb != &root)
    for (const Option& option : root.options) options.push_back(&option);
  for (const Option* option : options) words.push_back(names_of(*option).back());
  words.push_back("--help");
  entries.push_back({path, fmt::format("{}", fmt::join(words, " ")), verb.arguments.empty() ? "" : kind_of(verb.arguments.front().completes),
                     verb.arguments.size() < 2 ? "" : verb.arguments[1].words});
  for (const Verb& below : verb.verbs) collect(root, below, path.empty() ? below.name : path + " " + below.name, entries);
}

/// Options whose value is a folder or a file, by name, so that the shell completes paths after them.
std::string path_options(const Verb& verb) {
  std::string names;
  for (const Option& option : verb.options)
    if (option.completes == Completes::folder || option.completes == Completes::file)
      for (const std::string& name : names_of(option)) names += (names.empty() ? "" : "|") + name;
  for (const Verb& below : verb.verbs)
    if (const std::string more = path_options(below); !more.empty()) names += (names.empty() ? "" : "|") + more;
  return names;
}

/// What is offered for the value of an option, by verb and option: a list of words, or a kind that `berth complete` knows.
std::string value_branches(const Verb& verb, const std::string& path) {
  std::string text;
  for (const Option& option : verb.options) {
    if (option.words.empty() && option.completes != Completes::release_id) continue;
    std::string patterns;
    for (const std::string& name : names_of(option)) patterns += fmt::format("{}'{} {}'", patterns.empty() ? "" : "|", path, name);
    const std::string words = option.words.empty() ? "\"$(berth complete release-id \"$current\" \"$first\" 2>/dev/null)\"" : "'" + option.words + "'";
    text += fmt::format("    {}) words={}; kind=''; is_value=1 ;;\n", patterns, words);
  }
  for (const Verb& below : verb.verbs) text += value_branches(below, path.empty() ? below.name : path + " " + below.name);
  return text;
}

/// The verb that has been typed so far decides; the longest path of known verbs wins ("repo init" over "repo").
std::string case_branches(const std::vector<Completion>& entries, std::string_view indent) {
  std::string text;
  for (const Completion& entry : entries)
    text += fmt::format("{}'{}') words='{}'; kind='{}'; second='{}' ;;\n", indent, entry.path, entry.words, entry.kind, entry.second);
  return text;
}

std::string bash_script(const Verb& root, const std::vector<Completion>& entries) {
  return fmt::format(R"sh(# bash completion for berth
_berth_describe() {{
  case "$1" in
{}    *) return 1 ;;
  esac
}}
_berth() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb='' words='' kind='' second='' first='' is_value='' word
  # '@' and '=' belong to our words, whatever COMP_WORDBREAKS says.
  if declare -F _get_comp_words_by_ref >/dev/null; then _get_comp_words_by_ref -n '@=:' cur current 2>/dev/null; current="${{cur:-$current}}"; fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ "$word" == -* ]] && continue
    if _berth_describe "${{verb:+$verb }}$word"; then verb="${{verb:+$verb }}$word"; else first="${{first:-$word}}"; fi
  done
  _berth_describe "$verb"
  case "$verb $before" in
{}  esac
  [[ -n "$is_value" ]] && {{ mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"); return; }}
  case "$before" in
    {}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null; return ;;
  esac
  if [[ -n "$first" && -n "$second" ]]; then words="$second"; kind=''; fi
  if [[ "$current" != -* ]]; then
    case "$kind" in
      folder) mapfile -t COMPREPLY < <(compgen -d -- "$current"); compopt -o filenames 2>/dev/null; return ;;
      ?*) words="$(berth complete "$kind" "$current" 2>/dev/null)" ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ "$current" == *@* && "$COMP_WORDBREAKS" == *@* ]]; then
    COMPREPLY=("${{COMPREPLY[@]#"${{current%@*}}@"}}")
  fi
}}
complete -F _berth berth
)sh", case_branches(entries, "    "), value_branches(root, ""), path_options(root));
}

std::string zsh_script(const Verb& root, const std::vector<Completion>& entries) {
  return fmt::format(R"sh(#compdef berth
_berth_describe() {{
  case "$1" in
{}    *) return 1 ;;
  esac
}}
_berth() {{
  local verb='' words='' kind='' second='' first='' is_value='' word current="${{PREFIX}}"
  local typed=("${{(@)${{(z)BUFFER}}[2,$((CURRENT-1))]}}")
  for word in $typed; do
    [[ "$word" == -* ]] && continue
    if _berth_describe "${{verb:+$verb }}$word"; then verb="${{verb:+$verb }}$word"; else first="${{first:-$word}}"; fi
  done
  _berth_describe "$verb"
  case "$verb ${{typed[-1]}}" in
{}  esac
  [[ -n "$is_value" ]] && {{ compadd -- ${{=words}}; return; }}
  case "${{typed[-1]}}" in
    {}) _files; return ;;
  esac
  if [[ -n "$first" && -n "$second" ]]; then words="$second"; kind=''; fi
  if [[ "$current" != -* ]]; then
    case "$kind" in
      folder) _files -/; return ;;
      ?*) words="$(berth complete "$kind" "$current" 2>/dev/null)" ;;
    esac
  fi
  compadd -- ${{=words}}
}}
if [[ "$funcstack[1]" = _berth ]]; then _berth "$@"; else compdef _berth berth; fi
)sh", case_branches(entries, "    "), value_branches(root, ""), path_options(root));
}

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

void add_fish(std::string& script, const Verb& verb, std::vector<std::string> path) {
  if (verb.hidden) return;
  std::string condition;
  for (const std::string& name : path) condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", name);
  if (condition.empty()) condition = "__fish_use_subcommand";
  const std::string head = "complete -c berth -n " + fish_quoted(condition);
  for (const Verb& below : verb.verbs)
    if (!below.hidden) script += fmt::format("{} -a {} -d {}\n", head, below.name, fish_quoted(below.summary));
  if (!verb.arguments.empty()) {
    const std::string kind = kind_of(verb.arguments.front().completes);
    if (kind == "folder") {
      script += fmt::format("{} -a '(__fish_complete_directories (commandline -ct))'\n", head);
    } else if (!kind.empty()) {
      script += fmt::format("{} -a '(berth complete {} (commandline -ct) 2>/dev/null)'\n", head, kind);
    }
  }
  for (const Option& option : verb.options) {
    std::string line = path.empty() ? "complete -c berth" : head;
    for (const std::string& name : names_of(option)) line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (!option.value.empty()) line += option.completes == Completes::folder || option.completes == Completes::file ? " -r -F" : " -x";
    if (!option.words.empty()) line += " -a " + fish_quoted(option.words);
    script += line + " -d " + fish_quoted(option.help) + "\n";
  }
  for (const Verb& below : verb.verbs) {
    auto deeper = path;
    deeper.push_back(below.name);
    add_fish(script, below, deeper);
  }
}

}  // namespace

Result<std::string> completion_script(const Verb& root, const std::string& shell) {
  std::vector<Completion> entries;
  collect(root, root, "", entries);
  if (shell == "bash") return bash_script(root, entries);
  if (shell == "zsh") return zsh_script(root, entries);
  if (shell == "fish") {
    std::string script = "# fish completion for berth\ncomplete -c berth -f\n";
    add_fish(script, root, {});
    return script;
  }
  return fail(Errc::usage, fmt::format("berth completion: '{}' is no shell it knows: bash, zsh or fish", shell));
}

}  // namespace berth::cli
