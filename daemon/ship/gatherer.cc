#include "daemon/ship/gatherer.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/ship/event_entry.h"
#include "daemon/ship/gatherer_source.h"

namespace berth::ship {
namespace {

/// How long one instance that has much to tell is read before others have their turn.
constexpr int kEventPage = 64;  ///< events that are looked at at once where not all are wanted
constexpr std::chrono::seconds kTurn{1};

bool has_app(const std::vector<std::string>& apps, const std::string& app) { return apps.empty() || std::ranges::find(apps, app) != apps.end(); }

bool is_gone(const std::filesystem::path& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) != 0 && errno == ENOENT;
}

}  // namespace

bool Wanted::wants_app(const std::string& app) const { return has_app(apps, app); }

std::optional<logs::Time> Batch::oldest() const {
  const auto found = std::ranges::min_element(entries, {}, &Entry::since);
  if (found == entries.end()) return std::nullopt;
  return found->since();
}

Gatherer::Gatherer(GathererParts parts) : parts_(std::move(parts)), daemon_line_(parts_.daemon_line) {}
Gatherer::~Gatherer() = default;

Result<void> Gatherer::load() {
  auto stored = parts_.file.load();
  begins_anew_ = !stored || !stored->has_value();
  if (!begins_anew_) stored_ = std::move(**stored);
  const bool begins_here = stored && !stored->has_value() && parts_.last_event;
  if (begins_here) stored_.event = parts_.last_event();
  event_ = stored_.event;
  apps_before_ = std::exchange(stored_.apps, parts_.wanted.apps);
  const std::uint64_t rules_before = std::exchange(stored_.rules, parts_.wanted.rules->mark);
  is_unsaved_ = !begins_anew_ && (apps_before_ != stored_.apps || rules_before != stored_.rules);
  if (begins_here) is_unsaved_ = !parts_.file.store(stored_);  // now, since what comes next may be long in coming
  // What was held back is made of other lines by other rules: all behind the place comes again.
  if (rules_before != stored_.rules)
    for (auto& [name, cursor] : stored_.instances) cursor.line = 0;
  if (!stored) return pass(std::move(stored.error()));
  return {};
}

/// Takes the instances of the scan for its sources, and lets go of those whose logs were removed.
void Gatherer::follow(const Scan& scan, Batch& batch) {
  for (const LogState& state : scan.logs) {
    if (!parts_.wanted.wants_app(state.log.id.app)) continue;
    auto& source = sources_[state.log.id];
    if (!source) {
      source = std::make_unique<Source>(parts_, state.log);
      const auto stored = gone_.contains(source->name) ? stored_.instances.end() : stored_.instances.find(source->name);
      if (stored != stored_.instances.end()) source->at = stored->second;
      else if (!begins_anew_ && has_app(apps_before_, state.log.id.app)) source->at.place.sequence = first_owed(source->name, state.newest);
      source->begun = source->at;
      source->next = source->at.place;
      source->skip_to = source->at.line;
      source->kept_name = source->at.place.segment;
      source->steps.push_back({0, source->next});
      batch.moved.emplace(source->name, source->at);
    }
    source->see(state);
  }
  begins_anew_ = false;
  apps_before_ = parts_.wanted.apps;
  std::erase_if(sources_, [&](const auto& one) {
    if (!is_gone(one.second->log.folder)) return false;
    note_removed(*one.second, batch);
    batch.gone.push_back(one.second->name);
    gone_.insert(one.second->name);
    batch.moved.erase(one.second->name);
    return true;
  });
}

/// The scan passes over a log whose folder cannot be read.
void Gatherer::note_passed_over(const Scan& scan, Batch& batch) {
  for (const auto& [instance, source] : sources_) {
    const auto seen = std::ranges::lower_bound(scan.logs, instance, {}, [](const LogState& state) { return state.log.id; });
    if (seen != scan.logs.end() && seen->log.id == instance) continue;
    const auto segments = logs::list_segments(source->log.folder);
    source->trouble = segments || segments.error().code == Errc::not_found ? std::string() : segments.error().message;
    if (!source->trouble.empty()) batch.holds = true;
  }
}

/// So much as it will have at the most, once there is something: a list that grows is there twice for a moment, and what is not used of it costs nothing.
void Gatherer::reserve(Batch& batch) const {
  if (!batch.entries.empty()) return;
  const std::size_t most = std::min(parts_.limits.entries, room_ / sizeof(Entry));
  batch.entries.reserve(most + most / 16);
}

void Gatherer::count_from(std::size_t first, Batch& batch) {
  for (std::size_t i = first; i < batch.entries.size(); ++i) {
    const Entry& entry = batch.entries[i];
    const bool is_own = entry.origin->stream == kEventStream || entry.origin->stream == kDaemonStream;
    ++count_;
    bytes_ += entry.text.size();
    memory_ += entry.memory();
    ++batch.by_app[is_own ? std::string() : entry.origin->app];
  }
}

/// As of an app's lines; what is of no app may say something of any.
void Gatherer::redact(const std::string& app, std::string& text) const {
  if (parts_.secrets) parts_.secrets->redact(app, text);
  parts_.wanted.rules->redactor.redact(text);
}

void Gatherer::gather_events(const Scan& scan, Batch& batch) {
  // The log is one that ends before: a backup was put back. What it has is old, and what comes has numbers that this sink has seen of others.
  if (!std::exchange(knows_events_, true) && parts_.wanted.events && scan.event < event_) {
    stored_.event = event_ = scan.event;
    is_unsaved_ = true;
  }
  if (!parts_.wanted.events || !parts_.events || scan.event <= event_) return;
  const int most = static_cast<int>(std::max<std::size_t>(1, parts_.limits.entries / 2));
  const int page = parts_.wanted.wants_event ? std::max(most, kEventPage) : most;
  auto events = parts_.events(event_ + 1, page);
  batch.holds = batch.holds || !events;  // it is tried again
  if (!events) return;
  const std::size_t first = batch.entries.size();
  for (store::Event& event : *events) {
    if (static_cast<int>(batch.entries.size() - first) == most) break;
    event_ = event.number;
    batch.event = event_;
    const bool is_ours = event.app.empty() || parts_.wanted.wants_app(event.app);
    if (!is_ours || (parts_.wanted.wants_event && !parts_.wanted.wants_event(event))) continue;
    change_texts(event.data, [&](std::string& text) { redact(event.app, text); });
    batch.entries.push_back(entry_of(event, parts_.names));
  }
  if (static_cast<int>(events->size()) == page || (!events->empty() && event_ < events->back().number)) batch.more = true;
  count_from(first, batch);
}

void Gatherer::gather_daemon_lines(const Scan& scan, Batch& batch) {
  if (!parts_.wanted.daemon || !parts_.daemon_log || scan.daemon_line <= daemon_line_) return;
  const auto lines = parts_.daemon_log->after(daemon_line_, std::max<std::size_t>(1, parts_.limits.entries / 2));
  if (lines.empty()) return;
  const std::size_t first = batch.entries.size();
  const auto origin = daemon_origin(parts_.names);
  if (const auto missing = lines.front().number - daemon_line_ - 1; missing > 0) {
    batch.entries.push_back({.time = lines.front().time, .severity = Severity::warning, .sequence = lines.front().number - 1,
                             .text = fmt::format("berthd: {} lines of its own log are missing here: it keeps the last {}", missing, DaemonLog::kMostLines), .origin = origin});
  }
  for (const DaemonLine& line : lines) {
    std::string text = line.text;
    redact({}, text);
    batch.entries.push_back({.time = line.time, .severity = line.severity, .sequence = line.number, .text = std::move(text), .origin = origin});
  }
  daemon_line_ = lines.back().number;
  batch.daemon_line = daemon_line_;
  if (daemon_line_ < scan.daemon_line) batch.more = true;
  count_from(first, batch);
}

/// Reads on until the batch is full, or to the present end of the log.
void Gatherer::read(Source& source, Batch& batch) {
  source.open();
  logs::InstanceCursor& reader = *source.reader;
  if (parts_.secrets) source.maker.know(parts_.secrets->of(source.log.id.app));
  const auto now = LineMaker::Clock::now();
  bool at_end = false, has_failed = false;
  std::uint64_t line = source.read_to;  // the last one read
  while (!at_end && !is_full()) {
    auto record = reader.next();
    if (!record) {
      has_failed = true;
      source.trouble = record.error().message;
      break;
    }
    source.trouble.clear();
    at_end = !*record;
    line = reader.line();
    if (reader.replaced() != source.replaced) {
      source.replaced = reader.replaced();
      source.read_to = source.skip_to = source.at.line = 0;  // the numbers began anew
      source.at.told = {};
      batch.replaced.push_back(source.name);
    }
    note_gaps(source, at_end ? logs::Time{} : (*record)->time, batch);
    // One that nothing completed was not given before: the place would lie behind it.
    if (at_end || (reader.line() <= source.read_to && !reader.gave_up())) continue;
    source.next = reader.resume_place();
    source.at.time = (*record)->time;
    const std::uint64_t sequence = (*record)->sequence;
    const std::size_t first = batch.entries.size();
    reserve(batch);
    source.maker.add(std::move(**record), now, batch.entries);
    source.note(sequence);
    if (reader.line() <= source.skip_to && !reader.gave_up()) batch.entries.erase(batch.entries.begin() + static_cast<std::ptrdiff_t>(first), batch.entries.end());
    count_from(first, batch);
  }
  // Behind a read that failed it goes on where the last record ended, with another try soon.
  if (!has_failed) source.next = reader.resume_place();
  source.read_to = std::max(source.read_to, line);
  keep_name(source);
  finish(source, batch, at_end);
  if (has_failed) {
    source.reader.reset();
    batch.holds = true;
    return;
  }
  if (!at_end) return;
  source.read_newest = source.newest;
  source.read_size = source.size;
  source.reader.reset();
}

/// No power cut is to take back the name of a log file whose lines were delivered: by it the next keeper knows which numbers were given. Where that fails, they
/// may be given again after one.
void Gatherer::keep_name(Source& source) {
  const std::uint64_t segment = source.reader->segment();
  if (segment == 0 || segment == source.kept_name) return;
  const std::filesystem::path& folder = source.log.folder;
  (void)files::sync(folder);
  if (source.kept_name == 0) {
    (void)files::sync(folder.parent_path());
    (void)files::sync(folder.parent_path().parent_path());
  }
  source.kept_name = segment;
}

/// Gives what was held back for long enough, and says how far the source is with this batch.
void Gatherer::finish(Source& source, Batch& batch, bool at_end) {
  const std::size_t first = batch.entries.size();
  source.maker.flush(LineMaker::Clock::now(), batch.entries, at_end);  // also into one that is full: else nothing passes a stream that is always ahead
  count_from(first, batch);
  const bool holds = source.maker.held_behind().has_value();
  if (holds) batch.holds = true;
  source.at.place = holds ? source.steps.front().place : source.next;
  source.at.line = std::max({source.at.line, source.read_to, source.skip_to});
  batch.moved.insert_or_assign(source.name, source.at);
  if (const auto dropped = source.maker.dropped(); dropped > source.limited) batch.limited[source.log.id.app] += dropped - std::exchange(source.limited, dropped);
}

void Gatherer::gather_logs(Batch& batch) {
  if (sources_.empty()) return;
  auto at = turn_ ? sources_.lower_bound(*turn_) : sources_.begin();
  if (at == sources_.end()) at = sources_.begin();  // whose turn it was is gone
  for (std::size_t visited = 0; visited < sources_.size() && !is_full(); ++visited) {
    if (at->second->has_more()) read(*at->second, batch);
    else if (at->second->maker.held_behind()) finish(*at->second, batch, true);
    if (!is_full() && ++at == sources_.end()) at = sources_.begin();
  }
  if (!is_full()) {
    turn_.reset();
    return;
  }
  batch.more = true;
  const auto now = std::chrono::steady_clock::now();
  if (turn_ != at->first) {
    turn_ = at->first;
    turn_began_ = now;
  } else if (now - turn_began_ > kTurn && sources_.size() > 1) {
    at->second->reader.reset();
    if (++at == sources_.end()) at = sources_.begin();
    turn_ = at->first;
    turn_began_ = now;
  }
}

Batch Gatherer::gather(const Scan& scan, std::size_t room) {
  Batch batch = std::exchange(early_, {});
  count_ = bytes_ = memory_ = 0;
  room_ = room;
  follow(scan, batch);
  note_passed_over(scan, batch);
  count_from(0, batch);
  gather_events(scan, batch);
  gather_daemon_lines(scan, batch);
  gather_logs(batch);
  for (const auto& [instance, source] : sources_)
    if (!source->trouble.empty()) batch.unreadable.emplace(source->name, source->trouble);
  if (batch.more && !batch.entries.empty()) batch.behind = batch.entries.back().since();
  batch.memory = memory_;
  return batch;
}

Result<void> Gatherer::delivered(const Batch& batch) {
  const Cursors before = stored_;
  for (const std::string& name : batch.gone) {  // of a log that is there again there is a cursor below
    stored_.instances.erase(name);
    gone_.erase(name);
  }
  for (const auto& [name, cursor] : batch.moved) {
    Cursor& stored = stored_.instances[name];
    const ToldLoss told = stored.told;  // which may have come since the batch was gathered
    const bool is_over = told.last < cursor.place.sequence || std::ranges::find(batch.replaced, name) != batch.replaced.end();
    stored = cursor;
    stored.told = is_over ? ToldLoss{} : told;
  }
  if (batch.event) stored_.event = *batch.event;
  if (stored_ == before && !is_unsaved_) return {};
  auto saved = parts_.file.store(stored_);
  is_unsaved_ = !saved;
  return saved;
}

}  // namespace berth::ship
