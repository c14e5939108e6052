#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/logs/record_time.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// For tests: the stdout of an instance.
inline std::shared_ptr<Origin> sample_origin() {
  return std::make_shared<Origin>(Origin{.node = "edge-1",
                                         .environment = "qa",
                                         .app = "web",
                                         .release = "v42",
                                         .process = "worker",
                                         .instance = "web/worker.2",
                                         .deployment = "17",
                                         .stream = "stdout"});
}

inline logs::Time sample_time(std::string_view text = "2026-11-24T09:00:01.123456789Z") { return *logs::parse_rfc3339(text); }

inline Entry sample_entry(std::uint64_t sequence, std::string text, std::shared_ptr<const Origin> origin = sample_origin()) {
  return {.time = sample_time(), .severity = Severity::info, .sequence = sequence, .text = std::move(text), .origin = std::move(origin)};
}

/// Entries of one origin whose texts are their sequences, from `first` on.
inline std::vector<Entry> sample_batch(std::size_t count, std::uint64_t first = 1) {
  const auto origin = sample_origin();
  std::vector<Entry> batch;
  for (std::uint64_t sequence = first; sequence < first + count; ++sequence) batch.push_back(sample_entry(sequence, "line " + std::to_string(sequence), origin));
  return batch;
}

}  // namespace berth::ship
