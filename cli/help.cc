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
constexpr std::size_t kFewVerbs = 12;     ///< more than that are names alone in a short help
constexpr std::size_t kFewExamples = 3;   ///< of a short help

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
  if (!verb.verbs.empty()) text += fmt::format("\n'{} VERB --help' tells more of a verb.\n", fmt::join(path, " "));
  return text;
}

std::string short_help_text(const Verb& root, const Verb& verb, const std::vector<std::string>& path) {
  const std::string called = fmt::format("{}", fmt::join(path, " "));
  std::string text = head_text(verb, path);
  const auto verbs = verb_entries(verb);
  if (verbs.size() > kFewVerbs) {
    std::vector<std::string> names;
    for (const Entry& entry : verbs) names.push_back(entry.left);
    text += "\n" + wrap(fmt::format("Verbs: {}", fmt::join(names, ", ")), kWidth - 2, 2) + "\n";
  } else {
    text += entries_text("Verbs", verbs);
  }
  text += entries_text("Arguments", argument_entries(verb));
  if (&verb != &root) text += entries_text("Options", option_entries(verb.options, false));
  text += examples_text(verb.examples, kFewExamples);
  if (verb.verbs.empty()) {
    std::vector<std::string> codes;
    for (const ExitText& exit : exit_texts_of(verb)) codes.push_back(fmt::format("{} {}", exit.code, exit.text.substr(0, exit.text.find(';'))));
    text += "\n" + wrap(fmt::format("Exit codes: {}", fmt::join(codes, "; ")), kWidth - 2, 2) + "\n";
  }
  std::vector<std::string> common;
  for (const Option& option : common_options(root, verb)) common.push_back(names_of(option).front());
  return text + "\n" + wrap(fmt::format("Of every verb: {}. All of it: {} --help", fmt::join(common, " "), called), kWidth - 2, 2) + "\n";
}

}  // namespace berth::cli
