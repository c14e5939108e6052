#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/console.h"
#include "core/exit_code.h"
#include "core/result.h"

namespace berth::cli {

/// What a shell offers for a value.
enum class Completes {
  nothing,
  app,
  built_app,
  release,
  release_of_environment,  ///< APP/ENV@RELEASE
  release_here,            ///< on the node
  release_id,
  release_id_here,
  process,       ///< APP/PROCESS=
  app_or_process,  ///< or one of its instances, but no job
  job,
  instance,
  channel,
  webhook,
  environment,
  node,
  folder,
  file
};

/// Where a parsed value goes: text, a number, a switch, or several texts.
using Target = std::variant<std::string*, std::optional<std::int64_t>*, bool*, std::vector<std::string>*>;

/// Which berthd an option is for.
enum class Asks { no, here, elsewhere };

/// A flag, or an option with a value.
struct Option {
  std::string names;  ///< "-f,--follow"
  std::string value;  ///< what stands for its value in help: "DURATION"; empty for a flag
  std::string help;
  Target into;
  Completes completes = Completes::nothing;
  std::string words{};  ///< all values that it can have, with spaces between
  bool rare = false;    ///< left out of the short help
  Asks asks = Asks::no; ///< of a common one: only for verbs that ask such a one
};

/// An argument that stands by its place.
struct Argument {
  std::string name;  ///< "APP"
  std::string help;
  Target into;
  Completes completes = Completes::nothing;
  bool required = true;
  std::string words{};  ///< as of an option
};

/// Whether a verb can be for a node elsewhere, by `--node`.
enum class Remotely {
  never,         ///< it asks no berthd
  reads_here,    ///< it asks no berthd, or reads files of the one here
  on_node_only,  ///< it needs files of berthd's machine
  reads,
  changes
};

/// What an exit code means of one verb, where that is not the usual.
struct ExitText {
  std::string code;  ///< "0", or "N" of those that an app chooses
  std::string text;
};

/// A verb of the command line. Help, the man page and the shells' completions come from this one description; CLI11 parses by it.
struct Verb {
  std::string name;
  std::string summary;                 ///< one line without a full stop
  std::string text;                    ///< further paragraphs, or empty
  std::vector<std::string> examples;   ///< whole commands; the part after " # " says what it does
  std::vector<Exit> exits;             ///< what it can end with besides 0, 2
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::vector<Verb> verbs;             ///< verbs below this one, as in `berth repo init`
  std::function<Result<Exit>(Console&)> action;
  bool hidden = false;
  bool deploys = false;                ///< its exit codes tell what became of a deployment
  std::vector<ExitText> exit_texts{};  ///< in the place of the usual meaning; what `exits` does not have comes last
  Remotely remotely = Remotely::never;
  std::function<bool()> takes_nodes{};     ///< whether one call of the action is for all of several nodes, `Console::all_nodes`
};

/// The names in `option.names`, such as "-f" and "--follow".
std::vector<std::string> names_of(const Option& option);

/// How a verb that is called so, without "berth", asks a berthd.
Remotely remotely_of(std::string_view called);

/// Whether a common option of that kind is one of the verb, or of one below it.
bool is_asked(const Verb& verb, Asks where);

/// "berth repo init" → the verb, or null.
const Verb* find_verb(const Verb& root, const std::vector<std::string>& path);

}  // namespace berth::cli
