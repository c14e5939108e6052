#include "cli/help.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/output/text.h"

namespace berth::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kMostLeft = 24;

/// A term and what it means, the meanings below each other.
struct Entry {
  std::string left;
  std::string right;
};

std::string entries_text(const std::string& title, const std::vector<Entry>& entries) {
  if (entries.empty()) return {};
  std::size_t left = 0;
  for (const Entry& entry : entries) left = std::max(left, columns(entry.left));
  left = std::min(left, kMostLeft);
  std::string text = "\n" + title + ":\n";
  for (const Entry& entry : entries) {
    const std::size_t used = columns(entry.left);
    text += "  " + entry.left;
    if (used > left) {
      text += "\n" + std::string(left + 4, ' ');
    } else {
      text.append(left - used + 2, ' ');
    }
    text += wrap(entry.right, kWidth - left - 4, left + 4) + "\n";
  }
  return text;
}

/// Those of the common options that are of use to the verb.
std::vector<Option> common_options(const Verb& root, const Verb& verb) {
  std::vector<Option> options;
  for (const Option& option : root.options)
    if (is_asked(verb, option.asks)) options.push_back(option);
  return options;
}

std::vector<Entry> option_entries(const std::vector<Option>& options, bool rare_ones = true) {
  std::vector<Entry> entries;
  for (const Option& option : options) {
    if (option.rare && !rare_ones) continue;
    std::string left = fmt::format("{}", fmt::join(names_of(option), ", "));
    if (left.starts_with("--")) left.insert(0, "    ");
    if (!option.value.empty()) left += " " + option.value;
    entries.push_back({left, option.help});
  }
  return entries;
}

/// A command in lines that can be copied as they are.
std::string command_text(std::string_view command) {
  std::string text = "  ";
  std::size_t used = 2;
  while (!command.empty()) {
    // Lines are broken before options, where no quotes are torn.
    const auto next = std::min(command.find(" --", 1), command.size());
    const std::string_view part = command.substr(0, next);
    if (used > 2 && used + columns(part) + 2 > kWidth) {
      text += " \\\n     ";
      used = 5;
    }
    text += part;
    used += columns(part);
    command.remove_prefix(next);
  }
  return text + "\n";
}

std::string examples_text(const std::vector<std::string>& examples, std::size_t most) {
  std::string text = examples.empty() ? "" : "\nExamples:\n";
  for (const std::string& example : examples) {
    if (most-- == 0) break;
    const auto comment = example.find(" # ");
    if (comment != std::string::npos) text += "  # " + wrap(example.substr(comment + 3), kWidth - 4, 4) + "\n";
    text += command_text(std::string_view(example).substr(0, comment));
  }
  return text;
}

/// What both helps begin with.
std::string head_text(const Verb& verb, const std::vector<std::string>& path) {
  return wrap(usage_line(verb, path), kWidth - 4, 4) + "\n\n" + wrap(verb.summary + ".", kWidth, 0) + "\n";
}

std::vector<Entry> verb_entries(const Verb& verb) {
  std::vector<Entry> entries;
  for (const Verb& below : verb.verbs)
    if (!below.hidden) entries.push_back({below.name, below.summary});
  return entries;
}

std::vector<Entry> argument_entries(const Verb& verb) {
  std::vector<Entry> entries;
  for (const Argument& argument : verb.arguments) entries.push_back({argument.name, argument.help});
  return entries;
}

}  // namespace

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::string wrapped;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (used > 0 && used + 1 + columns(word) > width) {
      wrapped += "\n" + std::string(indent, ' ');
      used = 0;
    } else if (used > 0) {
      wrapped += ' ';
      ++used;
    }
    wrapped += word;
    used += columns(word);
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return wrapped;
}

std::string usage_line(const Verb& verb, const std::vector<std::string>& path) {
  std::string line = fmt::format("{}", fmt::join(path, " "));
  if (!verb.verbs.empty()) line += " VERB";
  const bool has_command = !verb.arguments.empty() && verb.arguments.back().name.starts_with("--");
  for (const Argument& argument : verb.arguments) {
    if (has_command && &argument == &verb.arguments.back()) line += " [options]";
    line += argument.required ? " " + argument.name : " [" + argument.name + "]";
  }
  return has_command ? line : line + " [options]";
}

std::vector<Exit> exits_of(const Verb& verb) {
  std::set<Exit> all{Exit::ok, Exit::usage};
  all.insert(verb.exits.begin(), verb.exits.end());
  return {all.begin(), all.end()};
}

/// What a code means of a verb: the words of deployments fit those alone.
std::string usual_text(const Verb& verb, Exit exit) {
  if (!verb.deploys) {
    if (exit == Exit::ok) return "done";
    if (exit == Exit::failed) return "failed; stderr says why";
    if (exit == Exit::not_found) return "what was named is not there";
    if (exit == Exit::conflict) return "what is there, or under way, stands against it";
  }
  return std::string(meaning(exit));
}

std::vector<ExitText> exit_texts_of(const Verb& verb) {
  std::vector<ExitText> all;
  for (const Exit exit : exits_of(verb)) all.push_back({.code = std::to_string(static_cast<int>(exit)), .text = usual_text(verb, exit)});
  for (const ExitText& own : verb.exit_texts) {
    const auto usual = std::ranges::find(all, own.code, &ExitText::code);
    if (usual == all.end()) all.push_back(own);
    else usual->text = own.text;
  }
  return all;
}

std::string help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path) {
  std::string text = head_text(verb, path);
  if (!verb.text.empty()) text += "\n" + wrap(verb.text, kWidth, 0) + "\n";
  text += entries_text("Verbs", verb_entries(verb));
  text += entries_text("Arguments", argument_entries(verb));
  if (&verb != &root) text += entries_text("Options", option_entries(verb.options));
  text += entries_text("Common options", option_entries(common_options(root, verb)));
  text += examples_text(verb.examples, verb.examples.size());
  std::vector<Entry> exits;
  for (const ExitText& exit : verb.verbs.empty() ? exit_texts_of(verb) : std::vector<ExitText>()) exits.push_back({exit.code, exit.text});
  text += entries_text("Exit codes", exits);
  if (!verb.verbs.empty()) text += fmt::format("\n'berth help {}VERB' tells more of a verb.\n", path.size() > 1 ? fmt::format("{} ", fmt::join(path.begin() + 1, path.end(), " ")) : "");
  return text;
}

namespace {

/// A screen, of which the prompt behind it takes a row.
constexpr std::size_t kRows = 23;
constexpr std::size_t kShortLeft = 26;  ///< columns of terms at most

/// What a person asks for first, of the verbs of berth itself.
constexpr std::string_view kMostUsed[] = {"deploy", "status", "why", "logs", "revert", "exec", "build", "release", "run", "doctor"};

std::size_t rows_of(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

/// Where what is told besides begins, in parentheses that a clause ends with; npos: there are none.
std::size_t aside_of(const std::string& text) {
  const auto begin = text.find(" ("), end = text.find(')', begin);
  if (begin == std::string::npos || end == std::string::npos) return std::string::npos;
  return end + 1 == text.size() || std::string_view(",;.:").find(text[end + 1]) != std::string_view::npos ? begin : std::string::npos;
}

/// As much of `text` as fits: all, else up to a boundary of its sense, else whole words.
std::string cut(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  for (const std::size_t at : {text.find("; "), aside_of(text), text.find(": "), text.find(". "), text.find(", ")}) {
    const std::string_view head = std::string_view(text).substr(0, at);
    if (at != std::string::npos && at >= 12 && columns(head) <= width && std::ranges::count(head, '(') == std::ranges::count(head, ')')) return std::string(head);
  }
  std::string words;
  for (std::string_view rest = text; !rest.empty();) {
    const auto space = std::min(rest.find(' '), rest.size());
    if (columns(words) + 1 + columns(rest.substr(0, space)) + 2 > width) break;
    words += (words.empty() ? "" : " ") + std::string(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return words + " …";
}

/// A row for each of the first `most` entries, and the terms of the others below them. A term that is too long stands alone.
std::string rows_text(const std::string& title, const std::vector<Entry>& entries, std::size_t most) {
  if (entries.empty()) return {};
  std::size_t left = 0;
  const std::size_t shown = std::min(most, entries.size());
  for (std::size_t i = 0; i < shown; ++i)
    if (columns(entries[i].left) <= kShortLeft) left = std::max(left, columns(entries[i].left));
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t used = std::max(left, columns(entries[i].left)) + 4;
    text += "  " + entries[i].left + std::string(used - 2 - columns(entries[i].left), ' ') + cut(entries[i].right, kWidth - used) + "\n";
  }
  std::vector<std::string> others;
  for (std::size_t i = shown; i < entries.size(); ++i) {
    const std::string& term = entries[i].left;
    const auto name = term.find_first_not_of(' ');
    others.push_back(term.substr(name, term.find(' ', name) - name));
    if (others.back().ends_with(',')) others.back() = term.substr(term.find("--"), term.find(' ', term.find("--")) - term.find("--"));
  }
  if (shown == 0) return wrap(fmt::format("{}: {}", title, fmt::join(others, " ")), kWidth - 2, 2) + "\n";
  if (!others.empty()) text += "  " + wrap(fmt::format("and {}", fmt::join(others, " ")), kWidth - 2, 2) + "\n";
  return title + ":\n" + text;
}

/// The codes with what they mean, or, where that takes more than `most` rows, with fewer words.
std::string codes_text(const Verb& verb, std::size_t most) {
  if (!verb.verbs.empty()) return {};
  std::vector<std::string> codes, numbers;
  for (const ExitText& exit : exit_texts_of(verb)) {
    codes.push_back(fmt::format("{} {}", exit.code, exit.text.substr(0, exit.text.find(';'))));
    numbers.push_back(exit.code);
  }
  const std::string text = wrap(fmt::format("Exit codes: {}", fmt::join(codes, "; ")), kWidth - 2, 2) + "\n";
  if (rows_of(text) <= most) return text;
  return wrap(fmt::format("Exit codes: {}", fmt::join(numbers, " ")), kWidth - 2, 2) + "\n";
}

/// All verbs below, those that are asked for most with what they are.
std::string verbs_text(const Verb& root, const Verb& verb, std::size_t rows) {
  const auto entries = verb_entries(verb);
  if (&verb != &root) return rows_text("Verbs", entries, rows - 1);
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.left);
  const std::string all = wrap(fmt::format("All verbs: {}", fmt::join(names, " ")), kWidth - 2, 2) + "\n";
  std::vector<Entry> first;
  for (const std::string_view name : kMostUsed)
    if (const auto found = std::ranges::find(entries, name, &Entry::left); found != entries.end() && rows_of(all) + first.size() + 1 < rows) first.push_back(*found);
  return rows_text("Most used", first, first.size()) + all;
}

}  // namespace

std::string short_help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path) {
  const std::string called = fmt::format("{}", fmt::join(path, " "));
  const std::string usage = wrap(usage_line(verb, path), kWidth - 4, 4) + "\n" + wrap(cut(verb.summary, 2 * kWidth) + ".", kWidth, 0) + "\n\n";
  std::vector<std::string> common;
  for (const Option& option : common_options(root, verb)) common.push_back(names_of(option).front());
  std::vector<std::string> asked(path.begin() + 1, path.end());
  const std::string more = wrap(fmt::format("Of every verb: {}", fmt::join(common, " ")), kWidth - 2, 2) + "\n" +
                           fmt::format("More: berth help{}{}, man berth\n", asked.empty() ? " VERB" : " ", fmt::join(asked, " "));
  const std::string examples = examples_text(verb.examples, 1).substr(1);  // without the empty line
  // What is left of the screen is for what the verb takes: arguments, and options as far as they go.
  std::string codes = codes_text(verb, 3);
  const auto arguments = argument_entries(verb);
  auto options = &verb == &root ? std::vector<Entry>() : option_entries(verb.options, false);
  const std::size_t fixed = rows_of(usage) + rows_of(more) + rows_of(examples) + 1 + (arguments.empty() ? 0 : arguments.size() + 1);
  if (fixed + rows_of(codes) + 4 + std::min<std::size_t>(options.size(), 6) > kRows) codes = codes_text(verb, 1);
  const std::size_t room = kRows - fixed - rows_of(codes);
  std::string text = usage + rows_text("Arguments", arguments, arguments.size());
  if (!verb.verbs.empty()) text += verbs_text(root, verb, room);
  std::size_t shown = options.size();
  std::string options_text = rows_text("Options", options, shown);
  while (shown > 0 && rows_of(options_text) > room) options_text = rows_text("Options", options, --shown);
  const bool has_rows = text.size() + options_text.size() > usage.size();  // else the empty line behind the summary is enough
  return text + options_text + (has_rows ? "\n" : "") + examples + codes + more;
}

}  // namespace berth::cli
