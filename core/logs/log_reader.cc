#include "core/logs/log_reader.h"

#include <algorithm>
#include <thread>

#include <fmt/core.h>

namespace berth::logs {

namespace {

/// Segments that are searched at a time, of each of so many logs.
std::size_t search_threads(std::size_t logs) {
  const std::size_t processors = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  return std::max<std::size_t>(1, processors / std::max<std::size_t>(logs, 1));
}

}  // namespace

Result<LogReader> LogReader::open(std::filesystem::path root, LogQuery query) {
  LogReader reader(std::move(root), std::move(query));
  BERTH_TRY(auto logs, list_instances(reader.root_, reader.query_.selector));
  const std::size_t threads = search_threads(logs.size());
  std::uint64_t total = 0;
  for (InstanceLog& log : logs) {
    InstanceCursor cursor(std::move(log), reader.query_.filter, !reader.query_.follow, threads);
    if (reader.query_.previous) {
      BERTH_TRY(const bool any, cursor.seek_previous_run(reader.query_.lives));
      if (!any) continue;
    }
    if (reader.query_.last) {
      BERTH_TRY(const auto found, cursor.seek_last(*reader.query_.last));
      total += found;
    } else {
      BERTH_CHECK(cursor.seek_since());
    }
    reader.inputs_.push_back({std::move(cursor), {}, false});
  }
  if (reader.query_.previous && reader.inputs_.empty() && reader.query_.filter.release) {
    return fail(Errc::not_found, fmt::format("{}: its logs have no lines of a run of {} that is over", reader.query_.selector.app, *reader.query_.filter.release));
  }
  if (reader.query_.previous && reader.inputs_.empty()) {
    return fail(Errc::not_found, reader.query_.selector.app + ": its logs have lines of what runs now alone, or of a berthd that did not tell runs apart; "
                                                              "there is no previous run");
  }
  if (reader.query_.last && total > *reader.query_.last) reader.skip_ = total - *reader.query_.last;
  return reader;
}

Result<std::optional<Record>> LogReader::next() {
  for (;;) {
    BERTH_TRY(auto record, next_by_time());
    if (!record || skip_ == 0) return record;
    --skip_;
  }
}

Result<std::optional<Record>> LogReader::next_by_time() {
  Input* oldest = nullptr;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (!input.ahead && !input.at_end) {
      BERTH_TRY(input.ahead, input.cursor.next());
      input.at_end = !input.ahead;
      input.cursor.take_gaps();  // `damaged` tells what there is to tell; a log of rubbish would have many
      if (input.ahead) input.ahead->source = static_cast<std::uint32_t>(i);
    }
    if (input.ahead && (oldest == nullptr || input.ahead->time < oldest->ahead->time)) oldest = &input;
  }
  if (oldest == nullptr) return std::optional<Record>();
  return std::exchange(oldest->ahead, std::nullopt);
}

Result<void> LogReader::wake() {
  for (Input& input : inputs_) input.at_end = false;
  auto logs = list_instances(root_, query_.selector);
  if (!logs && logs.error().code == Errc::not_found) return {};  // nothing left, which the watch tells
  if (!logs) return pass(logs.error());
  for (InstanceLog& log : *logs) {
    const auto known = std::ranges::any_of(inputs_, [&](const Input& input) { return input.cursor.log().id == log.id; });
    if (!known) inputs_.push_back({InstanceCursor(std::move(log), query_.filter, !query_.follow), {}, false});
  }
  return {};
}

std::uint64_t LogReader::damaged() const {
  std::uint64_t sum = 0;
  for (const Input& input : inputs_) sum += input.cursor.damaged();
  return sum;
}

}  // namespace berth::logs
