#include <algorithm>
#include <utility>

#include "daemon/ship/gatherer.h"
#include "daemon/ship/gatherer_source.h"

namespace berth::ship {
namespace {

/// The lines of a source that are gone before it was read so far; empty where there are none, or where it is known only once it is read on.
std::optional<Loss> removed_unread(const LogState& state, const logs::Place& next, bool is_open, const std::vector<std::uint64_t>& firsts, const Cursor& at) {
  const std::uint64_t oldest = state.firsts->front();
  if (next.sequence == 0 || oldest <= next.sequence) return {};
  if (oldest / logs::kUnknownStep != next.sequence / logs::kUnknownStep) return {};  // its keeper did not know how far it was
  std::uint64_t from = next.sequence;
  if (is_open) {
    // The file that is open still gives what is in it.
    const auto behind = std::ranges::upper_bound(firsts, next.segment);
    if (behind == firsts.end()) return {};
    from = std::max(from, *behind);
  }
  if (at.told.of(from, from) > 0) from = at.told.last + 1;
  if (from >= oldest) return {};
  return Loss{.instance = state.log.id, .first = from, .last = oldest - 1, .lines = oldest - from, .from = at.time};
}

}  // namespace

/// The first line that a sink is owed of a log that is younger than it. One that was removed goes on where its keeper does, unless it began anew.
std::uint64_t Gatherer::first_owed(const std::string& name, std::uint64_t newest) {
  const auto before = owed_.extract(name);
  return before && newest >= before.mapped() ? before.mapped() : 1;
}

/// Its whole log is gone, with what was still to be read of it.
void Gatherer::note_removed(Source& source, Batch& batch) {
  const std::uint64_t next = std::max<std::uint64_t>(1, source.next.sequence);
  const std::uint64_t known = std::max(next, source.newest);
  owed_[source.name] = known;
  if (source.has_more()) note_loss(source, {.instance = source.log.id, .first = next, .last = known - 1, .lines = count_lines(next, known).lines, .is_least = true}, batch);
}

void Gatherer::note_loss(Source& source, Loss loss, Batch& batch) {
  loss.from = source.at.time;
  if (loss.lines == 0) loss.last = 0;
  batch.entries.push_back(source.maker.lost(loss));
  const std::uint64_t told = loss.lines == 0 ? 0 : source.at.told.of(loss.first, loss.last);
  if (loss.lines > 0 && told == loss.lines) return;
  if (loss.lines > 0) source.at.told.add(loss.first, loss.last);
  loss.lines -= std::min(loss.lines, told);
  batch.losses.push_back(std::move(loss));
}

void Gatherer::note_gaps(Source& source, logs::Time time, Batch& batch) {
  const std::size_t first = batch.entries.size();
  for (const logs::Gap& gap : source.reader->take_gaps()) {
    // What the scan says of numbers behind the gap says nothing of it.
    const std::uint64_t known = gap.last > 0 && source.known > gap.last ? 0 : source.known;
    std::uint64_t end = gap.last + 1;
    if (gap.last == 0) {
      if (!source.had_more) continue;  // as far as anybody knows all of the log before was read
      end = std::max(gap.first, known);
    } else if (gap.last <= std::max(source.skip_to, source.read_to)) {
      continue;  // told before
    } else if (gap.is_most) {
      if (gap.is_boot && known <= gap.first) continue;  // its keeper tells that
      end = std::max(gap.first, known);
    }
    const LineCount count = count_lines(gap.first, end);
    Loss loss{.instance = source.log.id, .first = gap.first, .last = end - 1, .lines = count.lines, .is_least = gap.is_most || count.is_least, .is_torn = gap.is_torn, .to = time};
    note_loss(source, std::move(loss), batch);
  }
  count_from(first, batch);
}

std::vector<Loss> Gatherer::look_for_losses(const Scan& scan) {
  follow(scan, early_);
  std::vector<Loss> found = std::exchange(early_.losses, {});
  for (const LogState& state : scan.logs) {
    const auto place = sources_.find(state.log.id);
    if (place == sources_.end() || !place->second->firsts) continue;
    Source& source = *place->second;
    auto loss = removed_unread(state, source.next, source.reader != nullptr, *source.firsts, source.at);
    if (!loss) continue;
    source.at.told.add(loss->first, loss->last);
    found.push_back(std::move(*loss));
  }
  return found;
}

Result<void> Gatherer::told(const std::vector<Loss>& losses) {
  // A file that has some of them alone would say of the others that they are younger than the sink.
  for (const auto& [instance, source] : sources_)
    if (!gone_.contains(source->name)) stored_.instances.try_emplace(source->name, source->begun);
  for (const Loss& loss : losses)
    if (const auto stored = stored_.instances.find(to_string(loss.instance)); stored != stored_.instances.end() && loss.last > 0) stored->second.told.add(loss.first, loss.last);
  auto saved = parts_.file.store(stored_);
  is_unsaved_ = !saved;
  return saved;
}

}  // namespace berth::ship
