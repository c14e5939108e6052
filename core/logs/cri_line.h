#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/logs/level.h"
#include "core/logs/record_time.h"

namespace berth::logs {

enum class Stream { out, err };

/// "stdout" or "stderr".
std::string_view to_string(Stream stream);

/// Whose a line is, `RELEASE:DEPLOYMENT:PID[:keeper]`; it points into the text it was read from. All empty of lines that older keepers wrote.
struct LineTag {
  std::string_view whole;
  std::string_view release;
  std::string_view deployment;  ///< the number of the one that brought the release; empty: not known
  std::string_view pid;         ///< of the app's main process: another one in each run
  bool keeper = false;          ///< the keeper says this, and not the app
};
LineTag parse_tag(std::string_view whole);

/// One line of a CRI log file, `TIME stream P|F[:TAG] text`; it points into the text it was read from.
struct CriLine {
  Time time;
  Stream stream = Stream::out;
  bool partial = false;  ///< P: what the app wrote goes on in the stream's next line of that tag
  std::string_view text;
  std::string_view tag{};  ///< see `parse_tag`
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
  std::string release{};       ///< these as in LineTag
  std::string deployment{};
  std::string pid{};
  bool keeper = false;
  std::optional<Level> level{};  ///< where a filter asked for it; a line that goes on with the one before has that one's
};

/// Joins partial lines, those of each stream and tag for themselves, in bounded memory: two releases may write one log. What a run of a release left open is over
/// where a later run of it writes to the same stream.
class LineJoiner {
 public:
  /// A record of more bytes is cut there, and goes on as the next record.
  static constexpr std::size_t kMostRecord = 1u << 20;
  /// Records that are open at once. The oldest one is cut where there would be more.
  static constexpr std::size_t kMostOpen = 8;

  /// Takes a line; gives the record that it completes, or that it shows to be over.
  std::optional<Record> add(const CriLine& line, std::uint64_t sequence);
  /// A further one of what was added last. To be asked for until there is none, before anything else is added.
  std::optional<Record> more() { return std::exchange(more_, std::nullopt); }
  bool has_more() const { return more_.has_value(); }
  /// What an app wrote last without a newline, where its log ends.
  std::optional<Record> flush();
  /// Whether what was added last goes on.
  bool open() const { return !pending_.empty(); }
  /// The sequence of the first line of the oldest record that is not complete, or not given yet.
  std::optional<std::uint64_t> open_since() const;

 private:
  struct Pending {
    std::string tag;
    std::uint64_t first = 0;  ///< sequence of its first line
    Record record;
  };
  std::optional<Record> take_ended_run(const Record& begun);
  Record take(std::size_t place);
  std::vector<Pending> pending_;
  std::optional<Record> more_;
};

}  // namespace berth::logs
