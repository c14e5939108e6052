#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "core/logs/record_time.h"
#include "daemon/ship/backoff.h"
#include "daemon/ship/losses.h"
#include "daemon/ship/shipper.h"

namespace berth::ship {

/// What a Shipper does, held also by its coroutines.
struct Shipper::State : std::enable_shared_from_this<Shipper::State> {
  using milliseconds = std::chrono::milliseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  explicit State(ShipperParts its_parts)
      : parts(std::move(its_parts)), gatherer(std::make_unique<Gatherer>(parts.gatherer)), woken(parts.loop.executor()), end(parts.loop.executor()),
        looked_ahead(parts.loop.executor()), memory(parts.budget), daemon_line(parts.gatherer.daemon_line), thread(std::make_unique<io::Pool>(1)) {
    shown.name = parts.name;
    shown.kind = parts.kind;
    shown.required = parts.required;
    if (!parts.wait_before_retry) parts.wait_before_retry = wait_before_retry;
  }

  awaitable<void> run();
  awaitable<void> load();
  awaitable<void> make();
  awaitable<void> next_batch();
  awaitable<void> look_ahead();
  awaitable<void> deliver();
  void note_end_of_backlog();
  awaitable<void> store();
  void count_memory() { memory.hold(batch.memory + (ahead ? ahead->memory : 0) + gathering); }
  awaitable<void> pause(milliseconds at_most);
  awaitable<void> pause_failing(milliseconds at_most);
  awaitable<void> gather_early();
  awaitable<void> look_for_losses();
  awaitable<void> tell(store::Event event);
  awaitable<void> wait_for_news();
  awaitable<void> note_what_is_missing();
  awaitable<void> tell_losses();
  void count_losses(const std::vector<Loss>& found);
  void note_stored(const Result<void>& stored);
  void note_unreadable();
  void show_unreadable(SinkStatus& status) const;
  void note_apps();
  void note_failure(const std::string& why, const char* then = "it is tried again");
  void note_success(const Delivery& delivery);
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random); }

  ShipperParts parts;
  const std::string title = fmt::format("{} {}", parts.words.kind, parts.name);  ///< "log sink central"
  std::unique_ptr<Gatherer> gatherer;  ///< the thread's
  std::unique_ptr<Sink> sink;
  std::shared_ptr<const Scan> scan;
  Batch batch;
  std::optional<Batch> ahead;       ///< the one after it
  bool is_looking_ahead = false;    ///< that is being gathered
  bool fresh = false;     ///< a scan came that no batch was gathered after
  bool unlooked = false;  ///< one came in which nobody has looked for losses
  io::Steady::time_point looked{};   ///< when somebody did
  std::set<std::string> lost_early;  ///< apps that lost something by that
  bool stopping = false, has_ended = false, started = false;
  bool is_waiting = false;  ///< after a failure, until it is tried again; `try_now` ends that
  io::Event woken, end, looked_ahead;
  BatchBudget::Part memory;            ///< of `batch` and `ahead`
  std::size_t gathering = 0;           ///< of that, what the batch that is being gathered may take
  bool is_eager = false;               ///< the last batch was taken at once
  LossReport losses;
  SinkStatus shown;
  int in_a_row = 0;                    ///< batches, each with more behind it
  int refused_in_a_row = 0;            ///< batches of which nothing was taken
  bool gave_up = false;                ///< on the last batch, without asking: how the sink is nobody knows
  std::set<std::string> refusals;      ///< reasons that were told
  std::map<std::string, std::string> unreadable;  ///< why, by instance
  logs::Time unreadable_since{};                  ///< some log is
  std::string store_error;
  std::uint64_t daemon_line;           ///< as `Shipper::daemon_line`
  std::minstd_rand random{std::random_device{}()};
  std::unique_ptr<io::Pool> thread;    ///< goes first
};

}  // namespace berth::ship
