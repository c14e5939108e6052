#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/logs/record_time.h"

namespace berth::logs {

enum class Stream { out, err };

/// "stdout" or "stderr".
std::string_view to_string(Stream stream);

/// One line of a CRI log file, `TIME stream P|F text`; it points into the text it was read from.
struct CriLine {
  Time time;
  Stream stream = Stream::out;
  bool partial = false;  ///< P: what the app wrote goes on in the stream's next line
  std::string_view text;
};

/// Reads a line without its newline. Empty where it is no CRI line (torn by a power cut, or not the keeper's).
std::optional<CriLine> parse_cri_line(std::string_view line);

/// What an app wrote as one line.
struct Record {
  Time time;                   ///< of its first byte
  Stream stream = Stream::out;
  std::string text;            ///< without the newline, bytes as the app wrote them
  std::uint64_t sequence = 0;  ///< of its last line in the log
  std::uint32_t source = 0;    ///< which instance it came from; see LogReader
  bool cut = false;            ///< longer than a record may be: what follows is its rest
};

/// Joins partial lines, each stream for itself, in bounded memory.
class LineJoiner {
 public:
  /// A record of more bytes is cut there, and goes on as the next record.
  static constexpr std::size_t kMostRecord = 1u << 20;

  /// Takes a line; gives the record that it completes.
  std::optional<Record> add(const CriLine& line, std::uint64_t sequence);
  /// What an app wrote last without a newline, where its log ends.
  std::optional<Record> flush();

 private:
  struct Pending {
    bool open = false;
    Record record;
  };
  Pending pending_[2];
};

}  // namespace berth::logs
