#include "daemon/store/event_log.h"

#include <algorithm>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "daemon/store/event_line.h"

namespace berth::store {
namespace {

constexpr int kMostLookedBack = 10'000;  ///< events of an app
constexpr std::uint64_t kMostShown = 80;  ///< bytes of what somebody else wrote

}  // namespace

Result<EventLog> EventLog::open(const std::filesystem::path& path) {
  const bool is_new = !std::filesystem::exists(path);
  BERTH_TRY(Fd file, files::open(path, O_RDWR | O_CREAT, 0640));
  if (is_new) BERTH_CHECK(files::sync(path.parent_path()));
  EventLog log(path, std::move(file));
  log.last_hash_ = kNoLine;
  BERTH_CHECK(log.scan());
  return log;
}

Result<void> EventLog::scan() {
  std::string rest;  // what was read and not yet ended by a newline
  std::vector<char> chunk(1u << 20);
  std::uint64_t read = 0;
  while (true) {
    const ssize_t got = ::pread(file_.get(), chunk.data(), chunk.size(), static_cast<off_t>(read));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path_.string());
    if (got == 0) break;
    read += static_cast<std::uint64_t>(got);
    rest.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      const std::string_view line(rest.data() + begin, end - begin);
      check(line);
      note(line, size_);
      size_ += line.size() + 1;
      begin = end + 1;
    }
    rest.erase(0, begin);
  }
  torn_ = rest.size();
  if (torn_ > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return fail_errno("cut the torn last line off " + path_.string());
  // A line that a killed berthd wrote may not be on the disk yet, and its event leaves the outbox because it was read here.
  if (::fsync(file_.get()) != 0) return fail_errno("fsync " + path_.string());
  return {};
}

/// Whether the line continues the one before it. What an event tells of already is no news.
void EventLog::check(std::string_view line) {
  const std::int64_t number = head_of(line).number;
  const std::string end = fmt::format(R"("prev":"{}"}})", last_hash_);
  if (trouble_.empty() && number != *last_ + 1) trouble_ = fmt::format("line {}: event {} follows event {}: lines were removed, added or moved", places_.size() + 1, number, last());
  if (trouble_.empty() && !line.ends_with(end)) trouble_ = fmt::format("line {} does not continue the line before it, which was changed, removed or moved", places_.size() + 1);
  if (line.contains(fmt::format(R"("kind":"{}")", kEventsDamaged))) trouble_.clear();
  last_hash_ = crypto::sha256_hex(line);
}

void EventLog::note(std::string_view line, std::uint64_t offset) {
  const LineHead head = head_of(line);
  // A line that is not ours (somebody edited the log) keeps its place, so that the numbers here never go down; verify_events names it.
  const std::int64_t before = places_.empty() ? 0 : places_.back().number;
  places_.push_back({offset, std::max(head.number, before), app_number(head.app)});
  *last_ = places_.back().number;
}

std::uint32_t EventLog::app_number(std::string_view app) {
  if (const auto found = apps_.find(app); found != apps_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(apps_.size());
  apps_.emplace(app, number);
  return number;
}

Result<void> EventLog::cut_back() {
  if (!has_remains_) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return fail_errno("undo a failed write to " + path_.string());
  has_remains_ = false;
  return {};
}

/// The next line goes behind the last one that is known, whoever wrote something there meanwhile.
Result<void> EventLog::look_for_strangers() {
  struct stat about{};
  if (::fstat(file_.get(), &about) != 0) return fail_errno("stat " + path_.string());
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size == size_ || has_remains_) return {};
  if (size < size_) {
    intrusion_ = fmt::format("it became shorter while berthd ran: {} of its {} bytes are left, and events up to {} are missing from there on", size, size_, last());
    return {};
  }
  std::string text(std::min<std::uint64_t>(size - size_, kMostShown), '\0');
  const ssize_t got = ::pread(file_.get(), text.data(), text.size(), static_cast<off_t>(size_));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, ' ');
  intrusion_ = fmt::format("while berthd ran somebody else wrote {} bytes behind event {}, which are cut off: '{}'", size - size_, last(), text);
  has_remains_ = true;
  return {};
}

Result<void> EventLog::append(const std::vector<Event>& events) {
  if (events.empty()) return {};
  std::string text;
  std::vector<std::string> lines;
  std::string previous = last_hash_;
  for (const Event& event : events) {
    lines.push_back(to_line(event, previous));
    previous = crypto::sha256_hex(lines.back());
    text += lines.back() + '\n';
  }
  BERTH_CHECK(look_for_strangers());
  BERTH_CHECK(cut_back());
  has_remains_ = true;
  if (::lseek(file_.get(), static_cast<off_t>(size_), SEEK_SET) < 0) return fail_errno("seek in " + path_.string());
  auto written = files::write_all(file_.get(), text, path_.string());
  if (written && ::fdatasync(file_.get()) != 0) written = fail_errno("fdatasync " + path_.string());
  if (!written) {
    static_cast<void>(cut_back());  // else before the next append: what follows has to follow the last line that is known
    return written;
  }
  has_remains_ = false;
  for (const std::string& line : lines) {
    note(line, size_);
    size_ += line.size() + 1;
  }
  last_hash_ = previous;
  return {};
}

Result<std::string> EventLog::line_at(std::size_t place) const {
  const std::uint64_t begin = places_[place].offset;
  const std::uint64_t end = (place + 1 < places_.size() ? places_[place + 1].offset : size_) - 1;
  std::string line(end - begin, '\0');
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t got = ::pread(file_.get(), line.data() + done, line.size() - done, static_cast<off_t>(begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path_.string());
    if (got == 0) return fail(Errc::io, path_.string() + " became shorter while berthd runs: somebody else writes it");
    done += static_cast<std::size_t>(got);
  }
  return line;
}

Result<std::vector<Event>> EventLog::read(std::int64_t first, int most, const std::string& app) const {
  std::vector<Event> found;
  const auto wanted = apps_.find(app);
  if (!app.empty() && wanted == apps_.end()) return found;
  const auto begin = std::ranges::lower_bound(places_, first, {}, &Place::number);
  for (auto place = begin; place != places_.end() && static_cast<int>(found.size()) < most; ++place) {
    if (!app.empty() && place->app != wanted->second) continue;
    BERTH_TRY(const std::string line, line_at(static_cast<std::size_t>(place - places_.begin())));
    auto parsed = parse_line(line);
    if (!parsed) continue;  // edited by somebody; verify_events tells
    found.push_back(std::move(parsed->event));
  }
  return found;
}

std::int64_t EventLog::first_of_newest(int most, const std::vector<std::string>& apps) const {
  std::vector<std::uint32_t> wanted;
  for (const std::string& app : apps)
    if (const auto known = apps_.find(app); known != apps_.end()) wanted.push_back(known->second);
  std::int64_t first = last() + 1;
  int found = 0;
  for (auto place = places_.rbegin(); place != places_.rend() && found < most; ++place) {
    if (!apps.empty() && std::ranges::find(wanted, place->app) == wanted.end()) continue;
    first = place->number;
    ++found;
  }
  return first;
}

Result<std::optional<Event>> EventLog::newest(const std::string& app, const std::string& kind) const {
  const auto wanted = apps_.find(app);
  if (wanted == apps_.end()) return std::nullopt;
  int looked_at = 0;
  for (std::size_t i = places_.size(); i-- > 0 && looked_at < kMostLookedBack;) {
    if (places_[i].app != wanted->second) continue;
    ++looked_at;
    BERTH_TRY(const std::string line, line_at(i));
    auto parsed = parse_line(line);
    if (parsed && parsed->event.kind == kind) return std::optional(std::move(parsed->event));
  }
  return std::nullopt;
}

Result<std::vector<Event>> EventLog::between(const std::string& app, const std::string& since, const std::string& until) const {
  std::vector<Event> found;
  const auto wanted = apps_.find(app);
  int looked_at = 0;
  for (std::size_t i = places_.size(); wanted != apps_.end() && i-- > 0 && looked_at < kMostLookedBack;) {
    if (places_[i].app != wanted->second) continue;
    ++looked_at;
    BERTH_TRY(const std::string line, line_at(i));
    auto parsed = parse_line(line);
    if (!parsed) continue;
    if (parsed->event.at < since) break;
    if (until.empty() || parsed->event.at <= until) found.push_back(std::move(parsed->event));
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace berth::store
