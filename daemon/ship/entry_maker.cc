#include "daemon/ship/entry_maker.h"

#include <algorithm>

#include <fmt/core.h>

namespace berth::ship {
namespace {

constexpr std::size_t kMostOrigins = 8;  ///< both streams of the releases that a switch may overlap

}  // namespace

EntryMaker::EntryMaker(const NodeNames& names, const InstanceId& instance, std::shared_ptr<const LineRules> rules) : lines_(std::move(rules)) {
  common_.node = names.node;
  common_.environment = names.environment;
  common_.app = instance.app;
  common_.process = instance.process;
  common_.instance = to_string(instance);
  common_.labels = names.labels;
}

const std::shared_ptr<const Origin>& EntryMaker::origin_of(const logs::Record& record) {
  const std::string_view stream = logs::to_string(record.stream);
  const auto known = std::ranges::find_if(
      origins_, [&](const auto& origin) { return origin->stream == stream && origin->release == record.release && origin->deployment == record.deployment; });
  if (known != origins_.end()) return *known;
  if (origins_.size() == kMostOrigins) origins_.erase(origins_.begin());
  auto origin = std::make_shared<Origin>(common_);
  origin->stream = stream;
  origin->release = record.release;
  origin->deployment = record.deployment;
  return origins_.emplace_back(std::move(origin));
}

void EntryMaker::add(logs::Record record, LineMaker::Clock::time_point now, std::vector<Entry>& out) {
  const auto origin = origin_of(record);
  lines_.add(std::move(record), origin, now, out);
}

Entry EntryMaker::lost(const Loss& loss) {
  return {.time = loss.to == logs::Time{} ? loss.from : loss.to,
          .severity = Severity::error,
          .sequence = std::max(loss.first, loss.last),
          .text = fmt::format("berthd: {} are missing here: {}", lines_text(loss), reason_text(loss)),
          .origin = origin_of({.stream = logs::Stream::err})};
}

}  // namespace berth::ship
