// The tar of a layer, in pieces of any length: what is accepted is exactly what would have been written.

#include <string>
#include <utility>

#include "core/bundle/paths.h"
#include "core/bundle/tar_header.h"
#include "core/bundle/tar_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace berth;
using bundle::TarReader;

/// Its checksums are made right: no fuzzer finds them.
std::string with_checksums(std::string_view input) {
  std::string tar(input);
  for (std::size_t at = 0; at + bundle::kTarBlock <= tar.size(); at += bundle::kTarBlock) {
    if (tar.compare(at + 257, 5, "ustar") != 0) continue;
    tar.replace(at + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < bundle::kTarBlock; ++i) sum += static_cast<unsigned char>(tar[at + i]);
    char digits[9];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    tar.replace(at + 148, 7, digits, 7);
  }
  return tar;
}

/// Reads it all; what was accepted is written again to `copy`.
Result<void> read(std::string_view tar, std::size_t piece, std::string& copy) {
  TarReader reader;
  std::uint64_t left = 0, padding = 0;
  for (std::size_t at = 0; at < tar.size(); at += piece) {
    std::string_view bytes = tar.substr(at, piece);
    for (;;) {
      BERTH_TRY(const auto step, reader.next(bytes));
      if (step == TarReader::Step::more) break;
      if (step == TarReader::Step::entry) {
        const bundle::Entry& entry = reader.entry();
        fuzz::must(bundle::wrong_path(entry.path).empty(), "a wrong path was accepted");
        fuzz::must(left == 0, "an entry came before the content of the one before was over");
        copy += bundle::tar_header(entry);
        left = entry.size;
        padding = bundle::tar_padding(left);
      } else {
        fuzz::must(!reader.data().empty() && reader.data().size() <= left, "there is more content than the header says");
        copy += reader.data();
        left -= reader.data().size();
      }
      if (left == 0) copy.append(std::exchange(padding, 0), '\0');
    }
  }
  BERTH_CHECK(reader.finish());
  copy.append(bundle::kTarEnd, '\0');
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string tar = with_checksums(fuzz::text_of(data + 1, size - 1));
  std::string whole, in_pieces;
  const auto done = read(tar, tar.size() + 1, whole);
  const auto again = read(tar, 1 + data[0], in_pieces);
  fuzz::must(done.has_value() == again.has_value() && whole == in_pieces, "the length of the pieces matters");
  if (done) fuzz::must(whole == tar, "what was accepted is not what would have been written");
  return 0;
}
