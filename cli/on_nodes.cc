#include "cli/on_nodes.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <fmt/core.h>

#include "cli/nodes.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostAtOnce = 8;

/// A stream whose lines say whose they are.
struct Marked {
  std::FILE* to;
  std::string before, after;
  std::string line{};

  static ssize_t write(void* self, const char* bytes, std::size_t size) {
    auto& marked = *static_cast<Marked*>(self);
    for (std::size_t i = 0; i < size; ++i) {
      if (bytes[i] != '\n') marked.line += bytes[i];
      else marked.end_line();
    }
    std::fflush(marked.to);
    return static_cast<ssize_t>(size);
  }
  static int close(void* self) {
    auto& marked = *static_cast<Marked*>(self);
    if (!marked.line.empty()) marked.end_line();
    return std::fflush(marked.to);
  }
  void end_line() {
    const std::string text = before + std::exchange(line, {}) + after + "\n";
    std::fwrite(text.data(), 1, text.size(), to);
  }
  std::FILE* open() {
    std::FILE* const stream = ::fopencookie(this, "w", {.read = nullptr, .write = &write, .seek = nullptr, .close = &close});
    std::setvbuf(stream, nullptr, _IOLBF, 0);
    return stream;
  }
};

/// Runs the action in a process of its own, which keeps nothing of it for the next one.
pid_t begin(const Verb& verb, const Console& console, const RemoteNode& node, std::FILE* out, std::FILE* err) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::signal(SIGINT, SIG_DFL);
  const std::string name = json::text(json::value(node.name));
  Marked marked_out{.to = out, .before = console.json ? fmt::format("{{\"node\":{},\"answer\":", name) : node.name + ": ", .after = console.json ? "}" : ""};
  Marked marked_err{.to = err, .before = console.json ? fmt::format("{{\"node\":{},\"problem\":", name) : node.name + ": ", .after = console.json ? "}" : ""};
  Console own = console;
  own.out = marked_out.open();
  own.err = marked_err.open();
  own.terminal = false;
  own.node = node;
  const auto exit = verb.action(own);
  const int code = static_cast<int>(exit ? *exit : report(own, exit.error()));
  std::fclose(own.out);
  std::fclose(own.err);
  std::_Exit(code);
}

Exit end_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? static_cast<Exit>(WEXITSTATUS(status)) : Exit::failed;
}

void copy(std::FILE* from, std::FILE* to) {
  std::rewind(from);
  char piece[8192];
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, from)) std::fwrite(piece, 1, got, to);
  std::fflush(to);
  std::fclose(from);
}

/// Some at a time; told of in their order.
Exit read_from_all(const Verb& verb, const Console& console, const std::vector<RemoteNode>& nodes) {
  struct Asked {
    pid_t child;
    std::FILE *out, *err;
  };
  std::vector<Asked> asked;
  Exit worst = Exit::ok;
  for (std::size_t told = 0; told < nodes.size(); ++told) {
    while (asked.size() < std::min(nodes.size(), told + kMostAtOnce)) {
      std::FILE *out = std::tmpfile(), *err = std::tmpfile();
      if (out == nullptr || err == nullptr) return report(console, {Errc::io, "there is no room for what nodes answer in /tmp"});
      asked.push_back({begin(verb, console, nodes[asked.size()], out, err), out, err});
    }
    const Exit exit = end_of(asked[told].child);
    if (worst == Exit::ok) worst = exit;
    copy(asked[told].out, console.out);
    copy(asked[told].err, console.err);
  }
  return worst;
}

/// One after the other, until one fails.
Exit change_each(const Verb& verb, const Console& console, const std::vector<RemoteNode>& nodes, const std::string& called) {
  ::signal(SIGINT, SIG_IGN);  // whose turn it is says what becomes of it
  Exit exit = Exit::ok;
  std::size_t done = 0;
  while (done < nodes.size() && exit == Exit::ok) exit = end_of(begin(verb, console, nodes[done++], console.out, console.err));
  ::signal(SIGINT, SIG_DFL);
  std::string left;
  for (; done < nodes.size(); ++done) left += (left.empty() ? "" : ", ") + nodes[done].name;
  if (!left.empty() && !console.json) console.warn(fmt::format("{}: stopped at the first that failed; nothing was asked of {}", called, left));
  return exit;
}

}  // namespace

Result<void> check_is_here(const std::string& called, const std::string& what) {
  const auto nodes = nodes_of_environment();
  if (nodes.empty()) return {};
  return fail(Errc::usage, fmt::format("{0}: $BERTH_NODE names {1}, and it reads {2} of the node that it runs on: run it there, as in: ssh {1} {0}", called, nodes.front(), what));
}

Result<Exit> run_where_asked(const Verb& verb, Console& console, const std::string& called) {
  const bool said = !console.nodes.empty();
  if (!said && verb.remotely != Remotely::never) console.nodes = nodes_of_environment();
  if (console.nodes.empty()) return verb.action(console);
  if (verb.remotely == Remotely::never) return fail(Errc::usage, fmt::format("{}: it works on this machine and asks no berthd, so that it takes no --node", called));
  if (verb.remotely == Remotely::on_node_only)
    return fail(Errc::usage, fmt::format("{0}: it needs files of the node, so that it takes no --node{1}: run it there, as in: ssh {2} {0}", called, said ? "" : " ($BERTH_NODE)", console.nodes.front()));
  BERTH_TRY(const auto nodes, find_nodes(console.nodes));
  if (nodes.size() == 1) {
    console.node = nodes.front();
    return verb.action(console);
  }
  return verb.remotely == Remotely::reads ? read_from_all(verb, console, nodes) : change_each(verb, console, nodes, called);
}

}  // namespace berth::cli
Result<void> check_one_is_followed(const Console& console, const std::string& called) {
  if (console.nodes.size() <= 1) return {};
  return fail(Errc::usage, fmt::format("{}: one node at a time can be followed: name it alone with --node", called));
}

