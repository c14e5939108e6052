#include "daemon/store/state.h"

#include <chrono>

#include <fmt/chrono.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/utf8.h"
#include "daemon/store/event_line.h"

namespace berth::store {
namespace {

constexpr std::size_t kMostUntold = 1000;

}  // namespace

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto moment = std::chrono::floor<std::chrono::microseconds>(time);
  const auto second = std::chrono::floor<std::chrono::seconds>(moment);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(second)), (moment - second).count());
}

std::string now_text() { return time_text(std::chrono::system_clock::now()); }

Result<void> Store::State::put(std::vector<Event> with) {
  for (const Event& event : with) {
    BERTH_CHECK(database.run("INSERT INTO outbox (at, kind, app, data) VALUES (?, ?, ?, ?)", event.at.empty() ? now_text() : event.at, event.kind,
                             event.app, as_utf8(json::text(event.data))));  // what apps say may be any bytes, and cut anywhere
  }
  return {};
}

Result<void> Store::State::put_untold() {
  if (untold_dropped > 0) {
    std::vector<Event> dropped;
    dropped.push_back({.number = 0, .at = {}, .kind = "events.dropped", .app = {}, .data = {{"events", untold_dropped}, {"reason", "the disk took none"}}});
    BERTH_CHECK(put(std::move(dropped)));
  }
  return put({untold.begin(), untold.end()});
}

void Store::State::try_untold() {
  if (!untold.empty()) static_cast<void>(change({}, [] { return Result<void>(); }));
}

Result<void> Store::State::try_write_out() {
  BERTH_TRY(const auto waiting,
            database.rows("SELECT number, at, kind, app, data FROM outbox WHERE number > ? ORDER BY number",
                          [](const Statement& row) {
                            Event event{.number = row.integer(0), .at = row.text(1), .kind = row.text(2), .app = row.text(3), .data = {}};
                            if (auto data = json::parse(row.text(4), {}, true); data && data->is_object()) event.data = data->as_object();
                            return event;
                          },
                          events.last()));
  const auto appended = events.append(waiting);
  if (appended && !waiting.empty())
    for (const auto& told : on_event) told();
  tell_intrusion();
  return appended;
}

void Store::State::tell_intrusion() {
  std::string found = events.take_intrusion();
  if (found.empty()) return;
  untold.push_back({.number = 0, .at = now_text(), .kind = std::string(kEventsDamaged), .app = {}, .data = {{"reason", found}}});
  {
    const std::lock_guard guard(intrusion_mutex);
    intrusion = std::move(found);
  }
  try_untold();
}

void Store::State::keep_room() {
  constexpr off_t kDatabase = 256 << 10, kEvents = 128 << 10;  // beyond its end
  constexpr off_t kJournal = (1 << 20) + (128 << 10);          // in all: it begins anew after 200 pages (see Database::open), and a change has some more
  const auto give = [](const Fd& file, off_t from, off_t bytes) { static_cast<void>(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, from, bytes)); };
  const auto end_of = [](const Fd& file) {
    struct stat about{};
    return ::fstat(file.get(), &about) == 0 ? about.st_size : 0;
  };
  if (room_of_database.get() < 0)
    if (auto file = files::open(paths.database(), O_RDWR)) room_of_database = std::move(*file);
  if (room_of_database.get() >= 0) give(room_of_database, end_of(room_of_database), kDatabase);
  if (const auto journal = files::open(paths.database().string() + "-wal", O_RDWR)) give(*journal, 0, kJournal);
  if (const auto log = files::open(paths.events(), O_RDWR)) give(*log, end_of(*log), kEvents);
  if (const auto room = files::open(paths.room(), O_RDWR | O_CREAT, 0600)) give(*room, 0, 2 * kRoomToBegin);
}

Result<void> Store::State::require_app(const std::string& name) {
  BERTH_TRY(const auto found, app(name));
  if (!found) return fail(Errc::not_found, fmt::format("app {} is not on this node", name));
  return {};
}

Result<void> Store::State::remove_unlocked(const fs::path& tree) {
  return unlocked([&] { return files::remove_tree(tree); });
}

Result<void> Store::add_event(Event event) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Event> one;
  one.push_back(std::move(event));
  return state_->change(std::move(one), [] { return Result<void>(); });
}

void Store::tell(Event event) {
  const std::lock_guard guard(state_->mutex);
  if (event.at.empty()) event.at = now_text();
  state_->untold.push_back(std::move(event));
  if (state_->untold.size() > kMostUntold) {
    state_->untold.pop_front();
    ++state_->untold_dropped;
  }
  state_->try_untold();
}

Result<std::vector<Event>> Store::events(std::int64_t first, int most, const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  state_->try_untold();
  state_->write_out();  // what the disk did not take before
  return state_->events.read(first, most, app);
}

std::int64_t Store::first_of_newest_events(int most, const std::vector<std::string>& apps) {
  const std::lock_guard guard(state_->mutex);
  state_->try_untold();
  state_->write_out();
  return state_->events.first_of_newest(most, apps);
}

Result<std::optional<Event>> Store::newest_event(const std::string& app, const std::string& kind) {
  const std::lock_guard guard(state_->mutex);
  return state_->events.newest(app, kind);
}

Result<std::vector<Event>> Store::events_between(const std::string& app, const std::string& since, const std::string& until) {
  const std::lock_guard guard(state_->mutex);
  return state_->events.between(app, since, until);
}

std::string Store::event_intrusion() const {
  const std::lock_guard guard(state_->intrusion_mutex);  // not the other one, which is held over what disks need
  return state_->intrusion;
}

std::int64_t Store::last_event() const { return state_->events.last(); }  // without the lock, which is held over what disks need

void Store::on_event(std::function<void()> told) {
  const std::lock_guard guard(state_->mutex);
  state_->on_event.push_back(std::move(told));
}

}  // namespace berth::store
