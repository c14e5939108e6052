#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/logs/instance_cursor.h"
#include "daemon/ship/cursors.h"
#include "daemon/ship/daemon_log.h"
#include "daemon/ship/entry_maker.h"
#include "daemon/ship/log_scan.h"
#include "daemon/ship/loss.h"
#include "daemon/ship/sink.h"
#include "daemon/store/store.h"

namespace berth::ship {

/// What one sink gets.
struct Wanted {
  std::vector<std::string> apps;  ///< empty: all
  bool events = false, daemon = false;
  std::function<bool(const store::Event&)> wants_event;  ///< null: all that are of no app, or of one of those
  std::shared_ptr<const LineRules> rules = std::make_shared<LineRules>();

  bool wants_app(const std::string& app) const;
};

/// What goes to a sink at once, and how far its sources are delivered once it has it.
struct Batch {
  std::vector<Entry> entries;
  std::map<std::string, std::uint64_t> by_app;  ///< how many of them; "" for events and berthd's own
  std::map<std::string, Cursor> moved;
  std::map<std::string, std::uint64_t> limited;  ///< entries that the rate limit dropped, by app
  std::optional<std::int64_t> event;
  std::optional<std::uint64_t> daemon_line;      ///< the last one of berthd's own log
  bool more = false;                     ///< there is more to be had at once
  bool holds = false;                    ///< some lines wait for what may go on with them, and come soon though nothing is new
  std::optional<logs::Time> behind;      ///< with `more`: how old what comes next is, about
  std::vector<Loss> losses;
  std::vector<std::string> replaced;     ///< instances whose log turned out to be another one, or was cut off
  std::vector<std::string> gone;         ///< instances whose log was removed
  std::map<std::string, std::string> unreadable;  ///< why, by instance: what is in their logs waits, and holds up none of the others
  std::size_t memory = 0;                ///< bytes that the entries take, about

  /// When its oldest entry was written.
  std::optional<logs::Time> oldest() const;
};

struct GathererParts {
  NodeNames names;
  Wanted wanted;
  BatchLimits limits;
  CursorFile file;
  std::function<Result<std::vector<store::Event>>(std::int64_t first, int most)> events;  ///< blocking
  std::function<std::int64_t()> last_event;     ///< where it begins that had nothing before; null: with the first event
  std::shared_ptr<const DaemonLog> daemon_log;  ///< or null
  std::uint64_t daemon_line = 0;                ///< the last line of it that the sink has already
  std::shared_ptr<const secrets::GivenSecrets> secrets;  ///< what is taken out of what an app says, of events and of berthd's own lines; or null
};

/// Reads for one sink: from where it was delivered to, over all instances in turn, as many entries as a batch has room for. Blocking; for one thread at a
/// time. Its memory is bounded by the batch: a file is open while there is more in it than that.
class Gatherer {
 public:
  explicit Gatherer(GathererParts parts);
  ~Gatherer();

  /// Reads the cursors. Where they are damaged, all begins anew with the oldest lines kept, and the error says so; it is usable all the same.
  Result<void> load();

  /// For batches from now on.
  void set_limits(BatchLimits limits) { parts_.limits = limits; }

  static constexpr std::size_t kAnyRoom = ~std::size_t{0};
  /// The next entries, which take no more memory than `room`, or than the last of them takes more. Those of a batch that was gathered before are not given again.
  Batch gather(const Scan& scan, std::size_t room = kAnyRoom);

  /// Lines that were removed before any batch had them, of which `look_for_losses` and batches have not told yet: for the time in which no batch is gathered.
  std::vector<Loss> look_for_losses(const Scan& scan);

  /// These were told: makes durable that they need not be again. Fails as `delivered` does.
  Result<void> told(const std::vector<Loss>& losses);

  /// The sink has the batch: makes that durable. Batches are delivered in the order in which they were gathered. Where it fails, the next call
  /// stores it, too.
  Result<void> delivered(const Batch& batch);

 private:
  struct Source;
  void follow(const Scan& scan, Batch& batch);
  void gather_events(const Scan& scan, Batch& batch);
  void gather_daemon_lines(const Scan& scan, Batch& batch);
  void gather_logs(Batch& batch);
  void read(Source& source, Batch& batch);
  void finish(Source& source, Batch& batch, bool at_end);
  void note_gaps(Source& source, logs::Time time, Batch& batch);
  void note_loss(Source& source, Loss loss, Batch& batch);
  void note_removed(Source& source, Batch& batch);
  void note_passed_over(const Scan& scan, Batch& batch);
  std::uint64_t first_owed(const std::string& name, std::uint64_t newest);
  void redact(const std::string& app, std::string& text) const;
  bool is_full() const { return count_ >= parts_.limits.entries || bytes_ >= parts_.limits.bytes || memory_ >= room_; }
  void reserve(Batch& batch) const;
  void count_from(std::size_t first, Batch& batch);
  static void keep_name(Source& source);

  GathererParts parts_;
  Batch early_;             ///< what was noticed before the next batch is gathered
  Cursors stored_;          ///< as the file has them, or is to
  std::set<std::string> gone_;  ///< of those, the ones whose logs a batch that is not delivered yet says are removed
  std::map<std::string, std::uint64_t> owed_;  ///< of the logs that were removed: the line that was to come next
  bool is_unsaved_ = false;
  bool begins_anew_ = true; ///< what there is in the first scan is older than the sink
  std::vector<std::string> apps_before_;  ///< those that the sink got when it was stored last; empty: all
  std::int64_t event_ = 0;  ///< the last one gathered
  bool knows_events_ = false;  ///< it was seen where their log ends
  std::uint64_t daemon_line_ = 0;
  std::map<InstanceId, std::unique_ptr<Source>> sources_;
  std::optional<InstanceId> turn_;  ///< whose turn it is
  std::chrono::steady_clock::time_point turn_began_;
  std::size_t count_ = 0, bytes_ = 0, memory_ = 0;  ///< of the batch being gathered
  std::size_t room_ = kAnyRoom;                     ///< and how much memory it may take
};

}  // namespace berth::ship
