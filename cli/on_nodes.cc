#include "cli/on_nodes.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <span>

#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/nodes.h"
#include "cli/output/charset.h"
#include "cli/output/text.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

constexpr std::int64_t kReadAtOnce = 8, kChangedAtOnce = 1;  ///< where `--parallel` does not say
constexpr std::int64_t kMostAtOnce = 64;
constexpr int kLeastWidth = 20;  ///< of a node's lines behind its name

/// A stream whose lines say whose they are.
struct Marked {
  std::FILE* to;
  std::string before, after;
  bool json = false;
  std::string line{};

  static ssize_t write(void* self, const char* bytes, std::size_t size) {
    auto& marked = *static_cast<Marked*>(self);
    for (std::size_t i = 0; i < size; ++i) {
      if (bytes[i] != '\n') marked.line += bytes[i];
      else marked.end_line();
    }
    if (std::fflush(marked.to) != 0 || std::ferror(marked.to) != 0) return 0;  // nothing of it was taken
    return static_cast<ssize_t>(size);
  }
  static int close(void* self) {
    auto& marked = *static_cast<Marked*>(self);
    if (!marked.line.empty()) marked.end_line();
    return std::fflush(marked.to);
  }
  void end_line() {
    const std::string text = before + std::exchange(line, {}) + after + "\n";
    if (json) std::fwrite(text.data(), 1, text.size(), to);
    else put(to, text);
  }
  std::FILE* open() {
    std::FILE* const stream = ::fopencookie(this, "w", {.read = nullptr, .write = &write, .seek = nullptr, .close = &close});
    std::setvbuf(stream, nullptr, _IOLBF, 0);
    return stream;
  }
};

/// What a node's process writes to `to`: plain lines after its name, or, with --json, documents that are `what` of it.
Marked marked(std::FILE* to, const Console& console, const RemoteNode& node, const char* what) {
  if (!console.json) return {.to = to, .before = node.name + ": ", .after = "", .json = false};
  return {.to = to, .before = fmt::format("{{\"node\":{},\"{}\":", json::text(json::value(node.name)), what), .after = "}", .json = true};
}

/// Tells a problem as the node's own process would have told it.
Exit report_of(const RemoteNode& node, const Console& console, const Error& error) {
  Marked marked_err = marked(console.err, console, node, "problem");
  Console own = console;
  own.err = marked_err.open();
  const Exit exit = report(own, error);
  std::fclose(own.err);
  return exit;
}

/// The failure that `errno` tells of a process, which is ours and no answer of the node.
std::unexpected<Error> call_failed(std::string_view doing) {
  return fail(Errc::io, fail_errno(doing).error().message);
}

/// Runs the action in a process of its own, which keeps nothing of it for the next one.
Result<pid_t> begin(const Verb& verb, const Console& console, const RemoteNode& node, std::FILE* out, std::FILE* err) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return call_failed("it was not asked: begin a process for that");
  if (child > 0) return child;
  ::signal(SIGINT, SIG_DFL);
  Marked marked_out = marked(out, console, node, "answer"), marked_err = marked(err, console, node, "problem");
  Console own = console;
  own.out = marked_out.open();
  own.err = marked_err.open();
  own.terminal = own.draws = false;
  own.ends_at_one = console.terminal && !console.json;
  own.width = std::max(kLeastWidth, console.width - static_cast<int>(columns(marked_out.before)));
  own.node = node;
  const auto exit = verb.action(own);
  const int code = static_cast<int>(own.ended(exit ? *exit : report(own, exit.error())));
  std::fclose(own.out);
  std::fclose(own.err);
  std::_Exit(code);
}

/// What the process ended with. An end that is not known is a failure.
Result<Exit> end_of(const Result<pid_t>& child) {
  if (!child) return pass(child.error());
  int status = 0;
  while (::waitpid(*child, &status, 0) < 0)
    if (errno != EINTR) return call_failed("what became of it is not known: wait for the process that asks it");
  if (WIFEXITED(status)) return static_cast<Exit>(WEXITSTATUS(status));
  return fail(Errc::io, fmt::format("what became of it is not known: signal {} ended the process that asked it", WTERMSIG(status)));
}

void copy(std::FILE* from, const Console& console) {
  if (from == nullptr) return;
  std::rewind(from);
  char piece[8192];
  std::string plain;
  const bool converts = !console.json && is_ascii_terminal(::fileno(console.out));
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, from)) {
    if (converts) plain.append(piece, got);
    else console.write(std::string_view(piece, got));
  }
  console.print(plain);
  std::fclose(from);
}

/// Tells what a node's process said.
void tell_both(std::FILE* out, std::FILE* err, const Console& console) {
  copy(out, console);
  Console to_err = console;
  to_err.out = console.err;
  to_err.broken = std::make_shared<int>(0);
  copy(err, to_err);
}

/// A node that is being asked, and where its answer is until its turn comes.
struct Asked {
  Result<pid_t> child;
  std::FILE *out, *err;
};

Asked ask(const Verb& verb, const Console& console, const RemoteNode& node) {
  Asked asked{.child = 0, .out = std::tmpfile(), .err = std::tmpfile()};
  if (asked.out != nullptr && asked.err != nullptr) asked.child = begin(verb, console, node, asked.out, asked.err);
  else asked.child = call_failed("it was not asked: make a file in /tmp for its answer");
  return asked;
}

/// So many at a time; told of in their order.
Exit read_from_all(const Verb& verb, const Console& console, const std::vector<RemoteNode>& nodes) {
  const auto at_once = static_cast<std::size_t>(console.parallel.value_or(kReadAtOnce));
  std::vector<Asked> asked;
  Exit first_failure = Exit::ok;
  for (std::size_t told = 0; told < nodes.size(); ++told) {
    while (asked.size() < std::min(nodes.size(), told + at_once)) asked.push_back(ask(verb, console, nodes[asked.size()]));
    const auto ended = end_of(asked[told].child);
    tell_both(asked[told].out, asked[told].err, console);
    const Exit exit = ended ? *ended : report_of(nodes[told], console, ended.error());
    if (first_failure == Exit::ok) first_failure = exit;
  }
  return first_failure;
}

/// Which ones nothing was asked of, since the one before them failed.
void tell_not_asked(const Console& console, std::span<const RemoteNode> nodes, const RemoteNode& failed, const std::string& called) {
  if (console.json) {
    for (const RemoteNode& node : nodes) report_of(node, console, {Errc::cancelled, fmt::format("not asked: {} stopped at {}, which failed", called, failed.name)});
  } else if (!nodes.empty()) {
    std::string names;
    for (const RemoteNode& node : nodes) names += (names.empty() ? "" : ", ") + node.name;
    console.warn(fmt::format("{}: stopped at the first that failed; nothing was asked of {}", called, names));
  }
}

/// One after the other, until one fails.
Exit change_each(const Verb& verb, const Console& console, const std::vector<RemoteNode>& nodes, const std::string& called) {
  ::signal(SIGINT, SIG_IGN);  // whose turn it is says what becomes of it
  Exit exit = Exit::ok;
  std::size_t done = 0;
  while (done < nodes.size() && exit == Exit::ok) {
    const RemoteNode& node = nodes[done++];
    const auto ended = end_of(begin(verb, console, node, console.out, console.err));
    exit = ended ? *ended : report_of(node, console, ended.error());
  }
  ::signal(SIGINT, SIG_DFL);
  tell_not_asked(console, std::span(nodes).subspan(done), nodes[done - 1], called);
  return exit;
}

/// Waits for whichever of `asked` ends next, and tells of it. Those that have ended have no child any more.
std::size_t tell_next(std::vector<Asked>& asked, const Console& console, const std::vector<RemoteNode>& nodes, Exit& exit) {
  const auto could_not_begin = std::ranges::find_if(asked, [](const Asked& one) { return !one.child; });
  auto next = could_not_begin;
  if (next == asked.end()) {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) continue;
    next = std::ranges::find_if(asked, [&](const Asked& one) { return *one.child == info.si_pid; });
    if (next == asked.end()) next = std::ranges::find_if(asked, [](const Asked& one) { return *one.child > 0; });
  }
  const auto which = static_cast<std::size_t>(next - asked.begin());
  const auto ended = end_of(next->child);
  tell_both(next->out, next->err, console);
  exit = ended ? *ended : report_of(nodes[which], console, ended.error());
  next->child = 0;
  return which;
}

/// Its lines are told at once; a document, which may be long, when it is whole.
Asked ask_for_change(const Verb& verb, const Console& console, const RemoteNode& node) {
  if (console.json) return ask(verb, console, node);
  return {.child = begin(verb, console, node, console.out, console.err), .out = nullptr, .err = nullptr};
}

/// At most `at_once` at a time; none is begun after one failed, and those under way are waited for. Their lines come as they are said, documents when a node is done.
Exit change_some_at_once(const Verb& verb, const Console& console, const std::vector<RemoteNode>& nodes, const std::string& called, std::size_t at_once) {
  ::signal(SIGINT, SIG_IGN);
  // Nobody can answer several questions at once: what would ask does as where nobody is there.
  if (std::freopen("/dev/null", "r", stdin) == nullptr) std::fclose(stdin);
  std::vector<Asked> asked;
  Exit first_failure = Exit::ok;
  std::size_t told = 0, failed = 0;
  while (told < asked.size() || (asked.size() < nodes.size() && first_failure == Exit::ok)) {
    while (first_failure == Exit::ok && asked.size() < nodes.size() && asked.size() - told < at_once) asked.push_back(ask_for_change(verb, console, nodes[asked.size()]));
    Exit exit = Exit::ok;
    const std::size_t which = tell_next(asked, console, nodes, exit);
    ++told;
    if (first_failure != Exit::ok || exit == Exit::ok) continue;
    first_failure = exit;
    failed = which;
  }
  ::signal(SIGINT, SIG_DFL);
  tell_not_asked(console, std::span(nodes).subspan(asked.size()), nodes[failed], called);
  return first_failure;
}

/// The first node that they name, also where that is a group.
std::string first_of(const std::vector<std::string>& said) {
  const auto nodes = named_nodes(said);
  return nodes && !nodes->empty() ? nodes->front() : said.front();
}

/// The call as it was typed.
std::string call_text(const std::vector<std::string>& arguments) {
  std::string call = "berth";
  for (const std::string& word : arguments) call += " " + shell_word(word);
  return call;
}

}  // namespace

Result<void> check_is_here(const Console& console, const std::string& called, const std::string& what) {
  const auto nodes = nodes_of_environment();
  if (nodes.empty() || console.says_socket()) return {};
  const std::string node = first_of(nodes);
  return fail(Errc::usage, fmt::format("{}: $BERTH_NODE names {}, and it reads {} of the node that it runs on: run it there, as in: {}", called, node, what, ssh_call(node, console.arguments)));
}

std::string ssh_call(const std::string& node, const std::vector<std::string>& arguments) {
  std::string call = "berth";
  bool quotes = false;
  const auto end = std::ranges::find(arguments, "--");
  for (auto word = arguments.begin(); word != arguments.end(); ++word) {
    if (word < end && *word == "--node") {
      if (++word == arguments.end()) break;
      continue;
    }
    if (word < end && word->starts_with("--node=")) continue;
    const std::string quoted = shell_word(*word);
    quotes = quotes || quoted != *word;
    call += " " + quoted;
  }
  // Two shells read it: the one here, and the one there.
  return fmt::format("ssh {} {}", shell_word(node), quotes ? shell_word(call) : call);
}

Result<void> check_one_is_followed(const Console& console, const std::string& called) {
  if (console.nodes.size() <= 1) return {};
  return fail(Errc::usage, fmt::format("{}: one node at a time can be followed: name it alone with --node", called));
}

Result<Exit> run_where_asked(const Verb& verb, Console& console, const std::string& called) {
  const bool said = !console.nodes.empty(), socket_said = console.says_socket();
  if (socket_said && console.said_socket.empty()) return fail(Errc::usage, fmt::format("{}: --socket: it is empty; name berthd's socket, or leave --socket out", called));
  if (socket_said) console.socket = console.said_socket;
  if (said && socket_said && is_asked(verb, Asks::elsewhere)) return fail(Errc::usage, fmt::format("{}: --node and --socket name two berthds: {} and {}", called, console.nodes.front(), console.socket));
  // What is said counts more than the environment.
  if (!said && !socket_said && verb.remotely != Remotely::never && verb.remotely != Remotely::reads_here) console.nodes = nodes_of_environment();
  if (console.parallel && !is_asked(verb, Asks::elsewhere)) return fail(Errc::usage, fmt::format("{}: it asks no berthd elsewhere, so that it takes no --parallel", called));
  if (console.parallel && (*console.parallel < 1 || *console.parallel > kMostAtOnce))
    return fail(Errc::usage, fmt::format("{}: --parallel {}: it is from 1 to {}", called, *console.parallel, kMostAtOnce));
  if (console.nodes.empty()) return verb.action(console);
  if (verb.remotely == Remotely::never) return fail(Errc::usage, fmt::format("{}: it works on this machine and asks no berthd, so that it takes no --node", called));
  if (!is_asked(verb, Asks::elsewhere)) {
    const std::string there = ssh_call(first_of(console.nodes), console.arguments);
    const std::string here = said ? "" : fmt::format("; for this machine: BERTH_NODE= {}", call_text(console.arguments));
    return fail(Errc::usage, fmt::format("{}: it needs files of the node, so that it takes no --node{}: run it there, as in: {}{}", called, said ? "" : " ($BERTH_NODE)", there, here));
  }
  BERTH_TRY(const auto nodes, find_nodes(console.nodes));
  console.nodes.clear();
  for (const RemoteNode& node : nodes) console.nodes.push_back(node.name);
  for (const RemoteNode& node : nodes) BERTH_CHECK(check_readable(node));
  if (nodes.size() == 1) {
    console.node = nodes.front();
    return verb.action(console);
  }
  if (verb.takes_nodes && verb.takes_nodes()) {
    console.all_nodes = nodes;
    return verb.action(console);
  }
  ::signal(SIGCHLD, SIG_DFL);  // where whoever called us ignores it, ends of processes are not told
  if (verb.remotely == Remotely::reads) return read_from_all(verb, console, nodes);
  const std::int64_t at_once = console.parallel.value_or(kChangedAtOnce);
  return at_once == 1 ? change_each(verb, console, nodes, called) : change_some_at_once(verb, console, nodes, called, static_cast<std::size_t>(at_once));
}

}  // namespace berth::cli
