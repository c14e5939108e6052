#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/entry_rules.h"
#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

/// Reads the canonical tar of a layer, as it comes, and refuses everything that `write_layer` would not have written: other types than directory,
/// file and symlink, other owners, times and modes, paths that are not clean, unsorted, twice there or without their parent, links that lead out of the
/// tree, other pax records, a wrong checksum, padding that is not zero, and bytes after the end. Pure: it touches no file.
///
///   TarReader reader;
///   while (read a piece into `bytes`) {
///     for (;;) {
///       BERTH_TRY(const auto step, reader.next(bytes));   // takes from the front of `bytes`
///       if (step == TarReader::Step::more) break;         // `bytes` is used up
///       if (step == TarReader::Step::entry) …             // a new path: reader.entry(); the file before it is complete
///       if (step == TarReader::Step::data) …              // reader.data(): the next bytes of the entry's file
///     }
///   }
///   BERTH_CHECK(reader.finish());
class TarReader {
 public:
  enum class Step {
    more,   ///< everything given is used up
    entry,  ///< `entry()` is a new path
    data,   ///< `data()` is more of its file, never empty
  };

  /// Goes on with `bytes` and takes what it used from its front. Fails with `Errc::trust`, naming path and rule, and must not be used then. `bytes`
  /// may be of any length; a header that lies over two pieces is kept meanwhile (at most 4 KiB).
  Result<Step> next(std::string_view& bytes);

  /// The path that was read last; without `sha256`, which a tar does not tell.
  const Entry& entry() const { return entry_; }
  /// Part of what was given to `next`, valid as long as that is.
  std::string_view data() const { return data_; }

  /// To be asked when no more bytes come: fails with `Errc::trust` unless the tar was whole.
  Result<void> finish() const;

  /// How many bytes of tar were used.
  std::uint64_t position() const { return position_; }

 private:
  enum class State { header, content, padding, end, ended };  // `end`: the second of the two blocks of zeros comes

  bool gather(std::string_view& bytes);
  Step take_content(std::string_view& bytes);
  Result<void> take_padding(std::string_view& bytes);
  Result<bool> take_header();
  Result<void> accept(std::string_view blocks);
  std::unexpected<Error> refuse(std::string_view what) const;

  State state_ = State::header;
  std::string gathered_;       // of the header that is being read, with its pax blocks
  std::size_t wanted_ = 512;   // how much of it is known to come
  std::uint64_t left_ = 0;     // of the file's content
  std::uint64_t padding_ = 0;  // after it
  std::uint64_t position_ = 0;
  std::size_t count_ = 0;
  Entry entry_;
  std::string_view data_;
  EntryRules rules_;
};

}  // namespace berth::bundle
