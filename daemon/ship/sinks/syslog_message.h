#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/origin_text.h"

namespace berth::ship {

/// How long messages of syslog may be, and what becomes of longer ones.
struct SyslogFormat {
  int facility = 3;         ///< daemon
  std::size_t most = 8192;  ///< bytes of a message with its header; 1024 at least
  bool split = true;        ///< a longer text becomes several messages, each with `part="2/3"`; else it is cut, with its length as `cut="20000"`
  bool counted = true;      ///< each message after its length (RFC 6587, 3.4.1)
};

/// Messages, one behind the other.
struct SyslogMessages {
  std::string bytes;
  std::vector<std::size_t> ends;  ///< of each, in `bytes`
};

/// Writes entries as RFC 5424 has them: the node as host, the app as program, the instance as PROCID, the stream as MSGID, everything else as structured data of
/// `berth@32473`, and the text as it is, without a byte order mark.
class SyslogEncoder {
 public:
  explicit SyslogEncoder(SyslogFormat format);
  void encode(const Entry& entry, SyslogMessages& into);

 private:
  void append_message(const Entry& entry, std::string_view mark, std::string_view text, SyslogMessages& into);
  std::string_view text_of(logs::Time time);

  SyslogFormat format_;
  OriginText origins_, short_origins_;
  const std::string* origin_ = nullptr;  ///< of the entry that is being written
  std::string time_;  ///< the last one written
  logs::Time second_time_ = logs::Time::min();
};

/// "kern" … "local7"; -1 for what is none.
int syslog_facility(std::string_view name);

}  // namespace berth::ship
