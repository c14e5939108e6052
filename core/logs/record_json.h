#pragma once

#include <string_view>

#include "core/ids.h"
#include "core/json/json.h"
#include "core/logs/cri_line.h"
#include "core/result.h"

namespace berth::logs {

/// A record of `id`'s log as `berth logs --json` and the control API show it; `docs/logs.md` lists its members. Bytes that are no UTF-8 are U+FFFD.
json::object to_json(const Record& record, const InstanceId& id);

struct Told {
  Record record;
  InstanceId id;
};
/// The same, read back. `Errc::protocol` for what is none.
Result<Told> told_record(std::string_view line);

}  // namespace berth::logs
