#pragma once

#include <string>

#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/origin_text.h"

namespace berth::ship {

/// Writes entries as journald's native protocol has them: fields as `NAME=value` lines, or, where a value has newlines, as the name, a length of 64 bits and
/// the value.
class JournalEncoder {
 public:
  JournalEncoder();
  /// Appends one entry.
  void encode(const Entry& entry, std::string& into);

 private:
  OriginText origins_;
};

/// What a label is called as a field: `BERTH_LABEL_RACK`.
std::string journal_label(std::string_view label);

}  // namespace berth::ship
