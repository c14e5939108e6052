#include "cli/run_output.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/json/json.h"
#include "core/logs/record_time.h"
#include "core/utf8.h"

namespace berth::cli {
namespace {

constexpr std::size_t kWrittenAtOnce = 128u << 10;
constexpr const char* kOwnName = "berth";
constexpr const char* kReset = "\x1b[0m";

std::string_view word_for(run::Word::Kind kind) {
  using Kind = run::Word::Kind;
  switch (kind) {
    case Kind::note: return "note";
    case Kind::started: return "started";
    case Kind::ready: return "ready";
    case Kind::unready: return "unready";
    case Kind::exited: return "exited";
    case Kind::ended: return "ended";
    case Kind::stopping: return "stopping";
    case Kind::restarting: return "restarting";
    case Kind::failed: return "failed";
  }
  return "note";
}

Tint tint_for(run::Word::Kind kind) {
  if (kind == run::Word::Kind::failed) return Tint::bad;
  return kind == run::Word::Kind::unready ? Tint::warning : Tint::dim;
}

/// The length of the SGR sequence that `text` begins with; 0 where it begins with none.
std::size_t colour_length(std::string_view text) {
  constexpr std::size_t kLongest = 32;
  if (!text.starts_with("\x1b[")) return 0;
  const auto end = text.find_first_not_of("0123456789;:", 2);
  return end != std::string_view::npos && end < kLongest && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

std::string with_colours(std::string_view text) {
  std::string safe;
  bool coloured = false;
  while (!text.empty()) {
    const auto escape = std::min(text.find('\x1b'), text.size());
    safe += printable(text.substr(0, escape));
    text.remove_prefix(escape);
    if (text.empty()) break;
    const std::size_t length = colour_length(text);
    coloured = coloured || length > 0;
    safe += length > 0 ? std::string(text.substr(0, length)) : printable(text.substr(0, 1));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return coloured ? safe + kReset : safe;
}

RunOutput::RunOutput(const Console& console, RunOutputOptions options) : console_(console), options_(options) {
  options_.name_width = std::max(options_.name_width, std::string_view(kOwnName).size());
  own_head_ = tinted(fmt::format("{:<{}} |", kOwnName, options_.name_width), Tint::bold, console_.colour) + " ";
}

std::string RunOutput::head(const std::string& name, std::size_t number) const {
  return tinted_by_number(fmt::format("{:<{}} |", name, options_.name_width), number, console_.colour) + " ";
}

const std::string& RunOutput::head_of(const InstanceId& id) {
  const auto known = heads_.find(id);
  if (known != heads_.end()) return known->second;
  return heads_.emplace(id, head(run::shown_name(id), heads_.size())).first->second;
}

void RunOutput::add_time(logs::Time at) {
  if (!options_.timestamps) return;
  const std::time_t second = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(at));
  if (second != second_) {
    std::tm here{};
    ::localtime_r(&second, &here);
    clock_ = fmt::format("{:02}:{:02}:{:02}", here.tm_hour, here.tm_min, here.tm_sec);
    second_ = second;
  }
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(at - std::chrono::floor<std::chrono::seconds>(at));
  fmt::format_to(std::back_inserter(pending_), "{}.{:03} ", clock_, rest.count());
}

void RunOutput::add_line(std::string_view head, std::string_view text) {
  pending_ += head;
  pending_ += text;
  pending_ += '\n';
  if (pending_.size() >= kWrittenAtOnce) flush();
}

void RunOutput::show(const logs::Record& record, const InstanceId& id) {
  if (console_.json) {
    json::object line{{"time", logs::format_rfc3339(record.time, 9)}, {"instance", run::shown_name(id)}, {"stream", logs::to_string(record.stream)}};
    if (record.keeper) line["keeper"] = true;
    if (record.cut) line["cut"] = true;
    line["text"] = as_utf8(record.text);
    return add_line({}, json::text(line));
  }
  add_time(record.time);
  if (console_.terminal) add_line(head_of(id), with_colours(record.text));
  else add_line(head_of(id), record.text);
}

void RunOutput::show(const run::Word& word) {
  if (console_.json) {
    json::object line{{"time", logs::format_rfc3339(word.at, 9)}, {"event", word_for(word.kind)}};
    if (!word.instance.empty()) line["instance"] = word.instance;
    line["text"] = word.text;
    return add_line({}, json::text(line));
  }
  if (console_.quiet && word.kind != run::Word::Kind::failed) return;
  const std::string text = word.instance.empty() ? word.text : word.instance + " " + word.text;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    add_time(word.at);
    add_line(own_head_, tinted(printable(std::string_view(text).substr(begin, end - begin)), tint_for(word.kind), console_.colour));
    begin = end + 1;
  }
}

void RunOutput::show_gap(const InstanceId& id, std::uint64_t lines) {
  const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
  show(run::Word{.kind = run::Word::Kind::failed, .at = now, .instance = run::shown_name(id),
                 .text = fmt::format("wrote faster than this is read: {} lines went by, and its log has no room for them ([logs] keep_bytes)", lines)});
}

bool RunOutput::flush() {
  const int fd = ::fileno(console_.out);
  std::string_view rest = pending_;
  while (!rest.empty() && !broken_) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // whoever shares it made it so
      pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      const int error = errno;
      struct stat status{};
      const bool is_device = ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);  // a terminal that was closed says EIO, and is none any more
      const bool has_gone = error == EPIPE || error == ECONNRESET || (error == EIO && is_device);
      failure_ = has_gone ? 0 : error;
      broken_ = true;
    }
  }
  pending_.clear();
  return !broken_;
}

}  // namespace berth::cli
