#pragma once

#include <memory>
#include <string>

#include "daemon/ship/sink.h"

namespace berth::ship {

/// Writes entries as lines of JSON; what entries of one origin have alike is made once.
///
///   {"time":"2026-11-24T09:00:00.123456789Z","severity":"info","sequence":17,"node":"edge-1","environment":"production","app":"web","release":"v42",
///    "process":"web","instance":"web/web.1","deployment":"7","stream":"stdout","labels":{"rack":"r7"},"text":"hello"}
///
/// What is not known of an origin is left out.
class FileLines {
 public:
  void append(std::string& out, const Entry& entry);
  /// The most bytes that `append` makes of it.
  std::size_t most(const Entry& entry);

 private:
  void know(const Entry& entry);

  std::shared_ptr<const Origin> origin_;
  std::string origin_text_;
};

}  // namespace berth::ship
