#include "cli/parse.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/help.h"
#include "cli/on_nodes.h"
#include "cli/output/pager.h"
#include "cli/output/text.h"

namespace berth::cli {
namespace {

CLI::Option* add(CLI::App& app, const std::string& names, const Target& into, const std::string& help, bool is_flag) {
  if (const auto* text = std::get_if<std::string*>(&into)) return app.add_option(names, **text, help);
  if (const auto* number = std::get_if<std::optional<std::int64_t>*>(&into)) return app.add_option(names, **number, help);
  if (const auto* many = std::get_if<std::vector<std::string>*>(&into)) {
    CLI::Option* const option = app.add_option(names, **many, help);
    if (names.starts_with('-')) option->allow_extra_args(false);  // one value each time it is said: what follows is an argument
    return option;
  }
  auto& toggle = *std::get<bool*>(into);
  return is_flag ? app.add_flag(names, toggle, help) : app.add_option(names, toggle, help);
}

/// Describes `verb` to CLI11. Extra words are let through, since we know better what to say of them.
void describe(const Verb& verb, CLI::App& app, Parsed& asked) {
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", asked.help, "");
  for (const Option& option : verb.options) add(app, option.names, option.into, option.help, option.value.empty());
  std::size_t place = 0;  // our names, such as APP@RELEASE, are none that CLI11 takes
  for (const Argument& argument : verb.arguments) add(app, "argument" + std::to_string(++place), argument.into, argument.help, false);
  for (const Verb& below : verb.verbs) {
    CLI::App* command = app.add_subcommand(below.name, below.summary);
    command->fallthrough();
    describe(below, *command, asked);
  }
  app.require_subcommand(0, 1);
}

std::vector<std::string> verb_names(const Verb& verb) {
  std::vector<std::string> names;
  for (const Verb& below : verb.verbs)
    if (!below.hidden) names.push_back(below.name);
  return names;
}

std::vector<std::string> option_names(const Verb& root, const Verb& verb) {
  std::vector<std::string> names{"--help", "-h"};
  for (const Verb* each : {&root, &verb})
    for (const Option& option : each->options)
      for (const std::string& name : names_of(option)) names.push_back(name);
  return names;
}

/// Whether its last argument is a command line of its own.
bool takes_command(const Verb& verb) { return !verb.arguments.empty() && verb.arguments.back().name.starts_with("--"); }

/// What other programs call our verbs.
constexpr std::pair<std::string_view, const char*> kOtherNames[] = {
    {"rollback", "revert"}, {"undo", "revert"}, {"rm", "remove"},    {"delete", "remove"}, {"undeploy", "remove"}, {"uninstall", "remove"},
    {"install", "deploy"},  {"ps", "status"},   {"ls", "apps"},      {"list", "apps"},     {"publish", "release"}, {"shell", "exec"},
};

/// By sense first, then by letters.
std::string verb_meant(const Verb& verb, const std::string& word) {
  const auto names = verb_names(verb);
  const auto* other = std::ranges::find(kOtherNames, word, &std::pair<std::string_view, const char*>::first);
  if (other != std::end(kOtherNames) && std::ranges::find(names, other->second) != names.end()) return fmt::format(" (did you mean '{}'?)", other->second);
  return did_you_mean(word, names);
}

/// "-x".
bool is_one_letter(std::string_view option) { return option.size() == 2 && option[1] != '-'; }

Error unexpected_word(const Verb& root, const Parsed& parsed, const std::string& word) {
  const std::string called = fmt::format("{}", fmt::join(parsed.path, " "));
  if (word.starts_with("-") && word != "-") {
    const std::string name = word.substr(0, word.find('='));
    if (name == "-V") return {Errc::usage, fmt::format("{}: unknown option '-V' (did you mean 'berth --version'?); see {} --help", called, called)};
    if (takes_command(*parsed.verb))
      return {Errc::usage, fmt::format("{}: unknown option '{}'; what belongs to the command comes after '--': {}", called, name, usage_line(*parsed.verb, parsed.path))};
    // Of one letter every other is near.
    const std::string meant = is_one_letter(name) ? std::string() : did_you_mean(name, option_names(root, *parsed.verb));
    return {Errc::usage, fmt::format("{}: unknown option '{}'{}; see {} --help", called, name, meant, called)};
  }
  if (word == "man" && parsed.path.size() == 1) return {Errc::usage, "berth: the man page is 'berth --man'; see also berth --help"};
  if (!parsed.verb->verbs.empty())
    return {Errc::usage, fmt::format("{}: unknown verb '{}'{}; see {} --help", called, word, verb_meant(*parsed.verb, word), called)};
  return {Errc::usage, fmt::format("{}: unexpected argument '{}'; usage: {}", called, word, usage_line(*parsed.verb, parsed.path))};
}

/// The verb that was called: CLI11's chain of parsed subcommands, in our tree.
Parsed called_verb(const Verb& root, const CLI::App& app) {
  Parsed parsed{.verb = &root, .path = {root.name}};
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    parsed.path.push_back(at->get_name());
  }
  parsed.verb = find_verb(root, {parsed.path.begin() + 1, parsed.path.end()});
  return parsed;
}

/// The option that the last word is, where that wants a value.
const Option* without_value(const Verb& root, const Verb& verb, const std::vector<std::string>& given) {
  if (given.empty() || std::ranges::find(given, "--") != given.end()) return nullptr;
  for (const Verb* each : {&verb, &root})
    for (const Option& option : each->options)
      if (!option.value.empty() && std::ranges::count(names_of(option), given.back()) > 0) return &option;
  return nullptr;
}

/// The numbers that CLI11 could not read, in our words: "-n x: a whole number is wanted". Empty where they are not what is wrong.
std::string wrong_number(const Verb& root, const Verb& verb, const std::vector<std::string>& given) {
  const auto is_number = [](std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
  };
  for (const Verb* each : {&verb, &root}) {
    for (const Option& option : each->options) {
      if (!std::holds_alternative<std::optional<std::int64_t>*>(option.into)) continue;
      for (const std::string& name : names_of(option)) {
        for (std::size_t i = 0; i < given.size() && given[i] != "--"; ++i) {
          const bool is_long = name.starts_with("--");
          std::string value;
          if (given[i] == name && i + 1 < given.size()) value = given[i + 1];
          else if (given[i].starts_with(is_long ? name + "=" : name) && given[i] != name) value = given[i].substr(name.size() + (is_long ? 1 : 0));
          else continue;
          if (!is_number(value)) return fmt::format("{} {}: a whole number is wanted", name, value);
        }
      }
    }
  }
  return {};
}

constexpr std::size_t kLongestReason = 1000;  ///< bytes; as berthd has it

/// Fails where a reason has several lines, or is longer than berthd takes one.
Result<void> check_reason(const Verb& verb, const std::string& called) {
  for (const Option& option : verb.options) {
    if (option.names != "--reason") continue;
    const auto* text = std::get_if<std::string*>(&option.into);
    if (text != nullptr && (*text)->find('\n') != std::string::npos) return fail(Errc::usage, fmt::format("{}: --reason: it has more than one line", called));
    if (text != nullptr && (*text)->size() > kLongestReason) return fail(Errc::usage, fmt::format("{}: --reason: it has more than {} bytes", called, kLongestReason));
  }
  return {};
}

/// The argument that was given as an empty word, as a script's variable is that nobody set: to leave it out would mean something else, often all.
const Argument* empty_argument(const Verb& verb, const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::size_t place = 0;
  for (const Argument& argument : verb.arguments) {
    const auto* text = std::get_if<std::string*>(&argument.into);
    const CLI::Option* option = at->get_option_no_throw("argument" + std::to_string(++place));
    if (text != nullptr && (*text)->empty() && option != nullptr && option->count() > 0) return &argument;
  }
  return nullptr;
}

bool is_given(const Argument& argument) {
  if (const auto* text = std::get_if<std::string*>(&argument.into)) return !(*text)->empty();
  if (const auto* many = std::get_if<std::vector<std::string>*>(&argument.into)) return !(*many)->empty();
  return true;
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  // Levenshtein's distance; a word is near when it takes at most a third of its letters to get there, or two of four and more.
  const auto distance = [](const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= b.size(); ++j) {
        const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
      }
    }
    return row[b.size()];
  };
  std::string nearest;
  std::size_t least = word.size() < 4 ? 2 : std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& one : known) {
    const std::size_t steps = distance(word, one);
    if (steps < least && steps < one.size()) {
      least = steps;
      nearest = one;
    }
  }
  return nearest.empty() ? "" : fmt::format(" (did you mean '{}'?)", nearest);
}

Result<Parsed> parse(const Verb& root, std::vector<std::string> arguments) {
  const std::vector<std::string> given = arguments;
  CLI::App app(root.summary, root.name);
  Parsed asked;
  std::string complaint;
  try {
    describe(root, app, asked);
    std::ranges::reverse(arguments);  // CLI11 takes them from the end
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    complaint = error.what();
  }
  Parsed parsed = called_verb(root, app);
  parsed.help = asked.help;
  auto extra = app.remaining(true);
  if (parsed.help) {
    const auto is_word = [](const std::string& one) { return !one.starts_with('-'); };
    const auto word = parsed.verb->verbs.empty() ? extra.end() : std::ranges::find_if(extra, is_word);
    if (word != extra.end()) return std::unexpected(unexpected_word(root, parsed, *word));
    return parsed;
  }
  if (const auto mark = std::ranges::find(extra, "--"); mark != extra.end()) extra.erase(mark);  // CLI11 took what comes after it for arguments, and leaves it
  if (!extra.empty()) return std::unexpected(unexpected_word(root, parsed, extra.front()));
  const std::string called = fmt::format("{}", fmt::join(parsed.path, " "));
  if (const Option* open = without_value(root, *parsed.verb, given); !complaint.empty() && open != nullptr)
    return fail(Errc::usage, fmt::format("{}: {} needs a value: {} {}; see {} --help", called, names_of(*open).back(), names_of(*open).back(), open->value, called));
  if (const std::string wrong = complaint.empty() ? "" : wrong_number(root, *parsed.verb, given); !wrong.empty()) complaint = wrong;
  if (!complaint.empty()) return fail(Errc::usage, fmt::format("{}: {}; see {} --help", called, complaint, called));
  BERTH_CHECK(check_reason(*parsed.verb, called));
  if (const Argument* empty = empty_argument(*parsed.verb, app); empty != nullptr) return fail(Errc::usage, fmt::format("{}: {} is empty; name it{}", called, empty->name, empty->required ? "" : ", or leave it out"));
  for (const Argument& argument : parsed.verb->arguments)
    if (argument.required && !is_given(argument))
      return fail(Errc::usage, fmt::format("{}: {} is missing; usage: {}", called, argument.name, usage_line(*parsed.verb, parsed.path)));
  return parsed;
}

namespace {

/// A complaint about an option of the verb, "--set: …", names the verb as other complaints about a call do.
Error of_call(Error error, const Verb& verb, const std::string& called) {
  const std::string first = error.message.substr(0, error.message.find_first_of(" :"));
  const auto is_it = [&first](const Option& option) { return std::ranges::count(names_of(option), first) > 0; };
  if (error.code == Errc::usage && first.starts_with('-') && std::ranges::any_of(verb.options, is_it)) error.message = called + ": " + error.message;
  return error;
}

}  // namespace

int run(const Verb& root, Console& console, const std::vector<std::string>& arguments) {
  const auto began = std::chrono::steady_clock::now();
  const bool wants_all = !arguments.empty() && arguments.front() == "help";  // of the verb that the rest names
  std::vector<std::string> words = arguments;
  if (wants_all) std::ranges::rotate(words, words.begin() + 1);
  if (wants_all) words.back() = "--help";
  const auto parsed = parse(root, words);
  if (console.no_colour) console.colour = false;
  if (!parsed) return static_cast<int>(report(console, parsed.error()));
  console.arguments = arguments;
  if (wants_all) {
    show_paged(console, help_text(root, *parsed->verb, parsed->path));
    return static_cast<int>(console.ended(Exit::ok));
  }
  if (parsed->help || (!parsed->verb->action && arguments.empty())) {
    console.print(short_help_text(root, *parsed->verb, parsed->path));
    return static_cast<int>(console.ended(parsed->help ? Exit::ok : Exit::usage));
  }
  if (!parsed->verb->action) {
    const std::string called = fmt::format("{}", fmt::join(parsed->path, " "));
    return static_cast<int>(report(console, {Errc::usage, fmt::format("{}: name a verb: {}", called, fmt::join(verb_names(*parsed->verb), ", "))}));
  }
  const std::string called = fmt::format("{}", fmt::join(parsed->path, " "));
  const auto ended = run_where_asked(*parsed->verb, console, called);
  const int exit = static_cast<int>(console.ended(ended ? *ended : report(console, of_call(ended.error(), *parsed->verb, called))));
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  console.detail(fmt::format("ended with {}{} after {}", exit, ended ? "" : fmt::format(" ({})", to_string(ended.error().code)), fine_time_text(took)));
  return exit;
}

}  // namespace berth::cli
