#include "cli/advice.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "cli/command.h"

namespace berth::cli {
namespace {

constexpr std::string_view kBerth = "berth ";

/// The word that begins there, up to a space or the end.
std::string_view word_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  return text.substr(at, std::min(text.find_first_of(" \n", at), text.size()) - at);
}

/// Where the name of a verb ends that begins at `at`, if it is one of those that ask a berthd; else `npos`.
std::size_t end_of_verb(std::string_view text, std::size_t at) {
  const auto end_of_name = [text](std::size_t from) { return std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", from), text.size()); };
  std::size_t end = end_of_name(at);
  const std::string_view first = text.substr(at, end - at);
  if ((first == "node" || first == "webhook") && end < text.size() && text[end] == ' ') end = end_of_name(end + 1);
  const Remotely how = remotely_of(text.substr(at, end - at));
  return how == Remotely::reads || how == Remotely::changes ? end : std::string_view::npos;
}

/// Whether a command that stands in no quotes may begin after this.
bool leads_in(std::string_view before) {
  const auto last = before.find_last_not_of(' ');
  if (last == std::string_view::npos || before[last] == '\n' || before[last] == ';') return true;
  return before.ends_with("see: ") || before.ends_with("See: ") || before.ends_with("now: ");
}

/// Where a command without quotes ends whose verb ends at `end`: after its options and one argument, before punctuation.
std::size_t end_of_bare(std::string_view text, std::size_t end) {
  bool argument = false;
  while (end < text.size() && text[end] == ' ') {
    const std::string_view word = word_at(text, end + 1);
    const bool is_option = word.starts_with("--");
    if (word.empty() || word.front() == '#' || word.front() == '(' || (!is_option && std::exchange(argument, true))) break;
    const std::size_t last = word.find_last_not_of(".,;:)");
    end += 1 + (last == std::string_view::npos ? 0 : last + 1);
    if (last + 1 < word.size()) break;
  }
  return end;
}

}  // namespace

std::string for_node(std::string_view text, const std::string& node) {
  if (node.empty()) return std::string(text);
  std::string whole;
  std::size_t done = 0;
  for (std::size_t at = text.find(kBerth); at != std::string_view::npos; at = text.find(kBerth, at + 1)) {
    const std::size_t verb_end = end_of_verb(text, at + kBerth.size());
    if (verb_end == std::string_view::npos) continue;
    const bool quoted = at > 0 && text[at - 1] == '\'';
    std::size_t end = quoted ? text.find('\'', verb_end) : end_of_bare(text, verb_end);
    // What comes after it is a command's own.
    if (const auto mark = text.find(" -- ", verb_end); quoted && end != std::string_view::npos && mark < end) end = mark;
    const bool complains = verb_end < text.size() && text[verb_end] == ':';  // "berth stop: …"
    const bool ends_line = end >= text.size() || text[end] == '\n' || text.substr(end) == ".";
    if (!quoted && (complains || !(leads_in(text.substr(0, at)) || (ends_line && text.substr(0, at).ends_with(": "))))) continue;
    if (end == std::string_view::npos || text.substr(at, text.find_first_of("\n';", at) - at).find(" --node ") != std::string_view::npos) continue;
    whole += text.substr(done, end - done);
    whole += " --node " + node;
    done = end;
  }
  return whole.append(text.substr(done));
}

std::string shell_word(const std::string& word) {
  const auto is_plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_@%+=:,./-").find(c) != std::string_view::npos; };
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') quoted += "'\\''";
    else quoted += c;
  }
  return quoted + "'";
}

}  // namespace berth::cli
