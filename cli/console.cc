#include "cli/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/output/charset.h"
#include "cli/output/text.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

/// Without the "berth deploy: " that text has before what is wrong with a call: whoever reads a document knows what it called, and other failures have none either.
std::string without_call(const Error& error) {
  constexpr std::string_view kCalled = "berth ";
  const auto colon = error.message.find(": ");
  const bool is_of_call = error.code == Errc::usage && error.message.starts_with(kCalled) && colon != std::string::npos &&
                          error.message.find_first_not_of("abcdefghijklmnopqrstuvwxyz- ") == colon;
  return is_of_call ? error.message.substr(colon + 2) : error.message;
}

}  // namespace

namespace {

/// Keeps why output was not taken, the first time.
void note_broken(int& broken) {
  if (broken == 0) broken = errno == 0 ? EIO : errno;
}

}  // namespace

void Console::print(std::string_view text) const {
  if (!put(out, text)) note_broken(*broken);
  flush();
}

void Console::write(std::string_view bytes) const {
  if (std::fwrite(bytes.data(), 1, bytes.size(), out) != bytes.size()) note_broken(*broken);
}

void Console::flush() const {
  if (std::fflush(out) != 0) note_broken(*broken);
}

bool Console::is_broken() const { return *broken != 0; }

void Console::end_with_reader() const {
  const int pipe = ::fileno(out);
  struct stat about{};
  if (pipe < 0 || ::fstat(pipe, &about) != 0 || !(S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode))) return;
  std::thread([pipe] {
    pollfd reader{.fd = pipe, .events = 0, .revents = 0};  // an error is told unasked
    while (::poll(&reader, 1, -1) < 0 && errno == EINTR) continue;
    if ((reader.revents & (POLLERR | POLLHUP)) == 0) return;
    ::kill(::getpid(), SIGPIPE);
  }).detach();
}

Exit Console::ended(Exit exit) const {
  flush();
  if (*broken == 0 || *broken == EPIPE || *broken == ECONNRESET) return exit;
  const Exit told = report(*this, {Errc::io, fmt::format("the output cannot be written: {}; what is there is not all of it", std::strerror(*broken))});
  return exit == Exit::ok ? told : exit;
}

void Console::line(std::string_view text) const {
  print(std::string(text) + "\n");
}

void Console::note(std::string_view text) const {
  if (!quiet && !json) line(advice(text));
}

std::string Console::advice(std::string_view text) const { return for_node(text, node ? node->name : ""); }

void Console::warn(std::string_view said) const {
  const std::string text = advice(said);
  // Complaints about a call begin with the verb, "berth deploy: …".
  std::string whole = text.starts_with("berth ") || text.starts_with("berth: ") ? "" : "berth: ";
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    whole += printable(std::string_view(text).substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  put(err, whole);
}

void Console::detail(std::string_view text) const {
  if (!verbose) return;
  const std::string line = json ? json::text(boost::json::object{{"verbose", text}}) : "# " + printable(text);
  put(err, line + "\n");
}

std::function<void(std::string_view)> Console::teller() const {
  if (!verbose) return {};
  return [console = *this](std::string_view text) { console.detail(text); };
}

void Console::document(const boost::json::value& value) const {
  const std::string text = json::text(value) + "\n";
  write(text);
  flush();
}

std::string usual_socket() {
  const char* socket = std::getenv("BERTH_SOCKET");
  return socket != nullptr && *socket != '\0' ? socket : kUsualSocket;
}

Console make_console() {
  Console console;
  console.terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  console.draws = console.terminal && (kind == nullptr || std::string_view(kind) != "dumb");
  console.colour = console.draws && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (console.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) console.width = size.ws_col;
  return console;
}

Exit report(const Console& console, const Error& error, std::optional<Exit> other_exit) {
  const Exit exit = other_exit.value_or(exit_code(error.code));
  if (console.json) {
    const boost::json::object problem{{"code", to_string(error.code)}, {"detail", without_call(error)}, {"exit", static_cast<int>(exit)}};
    fmt::print(console.err, "{}\n", json::text(problem));
  } else {
    console.warn(error.message);
  }
  return exit;
}

}  // namespace berth::cli
