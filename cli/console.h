#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "cli/nodes.h"
#include "core/exit_code.h"
#include "core/result.h"

namespace berth::cli {

/// What an option's text is while nobody said it: no value that a command line has.
inline constexpr const char* kNotSaid = "\n";

/// Where a verb prints, and how: what the common options and the terminal say.
struct Console {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool no_colour = false;  ///< by --no-color
  bool terminal = false;  ///< `out` is one
  bool draws = false;     ///< a terminal that can go back over a line: no "dumb" one
  bool colour = false;    ///< such a terminal, and no NO_COLOR
  int width = 80;
  bool ends_at_one = false;  ///< `out` is none itself, and its lines are written to one
  std::string socket;     ///< of berthd
  std::string said_socket = kNotSaid;  ///< what `--socket` names; see `says_socket`
  std::vector<std::string> arguments;  ///< of this call, after "berth"
  std::vector<std::string> nodes;  ///< that `--node` names
  std::optional<std::int64_t> parallel;  ///< of them, how many at once; `--parallel`
  std::vector<RemoteNode> all_nodes;  ///< the same, for a verb that takes several at once
  std::optional<RemoteNode> node;  ///< whose berthd is asked, in the place of the socket's
  std::shared_ptr<int> broken = std::make_shared<int>(0);  ///< the error number of the first output that was not taken

  /// Whether `--socket` was given, be it the usual one.
  bool says_socket() const { return said_socket != kNotSaid; }
  /// How wide a line may be; 0: as wide as it is, where no terminal shows it.
  int room() const { return terminal || ends_at_one ? width : 0; }
  /// What was asked for.
  void print(std::string_view text) const;
  /// Bytes as they are, which `flush` or whatever is printed next sends on.
  void write(std::string_view bytes) const;
  void flush() const;
  /// Whether the output was not taken, such as by a full disk: who goes on without end stops then.
  bool is_broken() const;
  /// From now on this process ends as by SIGPIPE once nobody reads its output any more, where that is a pipe: who waits for what is written later would
  /// not notice.
  void end_with_reader() const;
  /// What a call ends with that would end with `exit`: output that was not taken is told, and no success. A reader that went away, as `head` does, is none to tell.
  Exit ended(Exit exit) const;
  /// The same with a newline.
  void line(std::string_view text) const;
  /// What is nice to know, as advice: left out with `--quiet` and `--json`.
  void note(std::string_view text) const;
  /// Beside the answer, on stderr, as advice.
  void warn(std::string_view text) const;
  /// What was asked of whom, and what came of it, with `--verbose`: on stderr, after "# ", or with --json as `{"verbose": …}`.
  void detail(std::string_view text) const;
  /// `detail` of a copy; empty without `--verbose`.
  std::function<void(std::string_view)> teller() const;
  /// `text`, whose commands are for the node that is asked: see `for_node`.
  std::string advice(std::string_view text) const;
  /// A JSON document on a line.
  void document(const boost::json::value& value) const;
};

/// The console of this process: looks at its terminal and environment.
Console make_console();

inline constexpr const char* kUsualSocket = "/run/berth/api.sock";
/// $BERTH_SOCKET, or where berthd's socket is else.
std::string usual_socket();

/// Prints a failure (with `--json` as a problem document) on stderr and gives its exit code, or the other one with which the program ends.
Exit report(const Console& console, const Error& error, std::optional<Exit> other_exit = std::nullopt);

}  // namespace berth::cli
