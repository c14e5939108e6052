#include "core/bundle/tar_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "core/bundle/tar_header.h"

namespace berth::bundle {
namespace {

constexpr std::size_t kMostPax = 4 * kTarBlock;  // two names of 1024 bytes and a size, with their keys
constexpr char kRegular = '0', kSymlink = '2', kDirectory = '5', kPaxOfOne = 'x', kPaxOfAll = 'g', kHardLink = '1';

bool is_zero(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == '\0'; });
}

std::string type_name(char type) {
  switch (type) {
    case kHardLink: return "a hard link";
    case '3':
    case '4': return "a device";
    case '6': return "a FIFO";
    case kPaxOfAll: return "a global pax header";
    case 'S': return "a sparse file";
    default: return fmt::format("of type {:#04x}", static_cast<unsigned char>(type));
  }
}

/// What pax records say in place of the header's fields.
struct PaxRecords {
  std::string path, linkpath;
  std::uint64_t size = 0;
};

bool read_size(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Result<PaxRecords> read_pax(std::string_view records) {
  PaxRecords found;
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (error != std::errc() || length > records.size() || length < digits + 3 || records[digits] != ' ' || records[length - 1] != '\n')
      return fail(Errc::trust, "a malformed pax record");
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return fail(Errc::trust, "a malformed pax record");
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") found.path = value;
    else if (key == "linkpath") found.linkpath = value;
    else if (key != "size") return fail(Errc::trust, fmt::format("a pax record '{}'", key.substr(0, 40)));
    else if (!read_size(value, found.size)) return fail(Errc::trust, "a pax size that is no number");
    records.remove_prefix(length);
  }
  return found;
}

/// The entry that the last block of `blocks` and the pax records before it describe, believed as it stands.
Result<Entry> read_entry(std::string_view header, const PaxRecords& pax) {
  Entry entry;
  switch (header[kTarType]) {
    case kRegular: entry.type = EntryType::file; break;
    case kSymlink: entry.type = EntryType::symlink; break;
    case kDirectory: entry.type = EntryType::directory; break;
    default: return fail(Errc::trust, "is " + type_name(header[kTarType]) + ", which a layer does not have");
  }
  entry.path = pax.path.empty() ? tar_text(header, kTarName, kTarNameSize) : pax.path;
  entry.target = pax.linkpath.empty() ? tar_text(header, kTarLink, kTarLinkSize) : pax.linkpath;
  if (entry.type == EntryType::directory && entry.path.ends_with('/')) entry.path.pop_back();
  BERTH_TRY(const auto mode, tar_number(header, kTarMode, kTarModeSize));
  BERTH_TRY(const auto size, tar_number(header, kTarLength, kTarLengthSize));
  entry.mode = static_cast<std::uint32_t>(mode);
  entry.size = std::max(pax.size, size);
  return entry;
}

}  // namespace

Result<TarReader::Step> TarReader::next(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (state_ == State::ended) return refuse("is followed by bytes after the tar's end");
    if (state_ == State::content) return take_content(bytes);
    if (state_ == State::padding) {
      BERTH_CHECK(take_padding(bytes));
      continue;
    }
    if (!gather(bytes)) return Step::more;
    BERTH_TRY(const bool complete, take_header());
    if (complete) return Step::entry;
  }
  return Step::more;
}

Result<void> TarReader::finish() const {
  if (state_ == State::ended) return {};
  if (count_ == 0) return fail(Errc::trust, "tar: ends before its first entry");
  return refuse(state_ == State::content ? "is cut short" : "is followed by nothing: the tar is cut short");
}

/// Takes into `gathered_` until it has the size that is wanted.
bool TarReader::gather(std::string_view& bytes) {
  const std::string_view taken = bytes.substr(0, wanted_ - gathered_.size());
  gathered_ += taken;
  bytes.remove_prefix(taken.size());
  position_ += taken.size();
  return gathered_.size() == wanted_;
}

TarReader::Step TarReader::take_content(std::string_view& bytes) {
  data_ = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
  bytes.remove_prefix(data_.size());
  position_ += data_.size();
  left_ -= data_.size();
  if (left_ == 0) state_ = padding_ == 0 ? State::header : State::padding;
  return Step::data;
}

Result<void> TarReader::take_padding(std::string_view& bytes) {
  const std::string_view taken = bytes.substr(0, static_cast<std::size_t>(padding_));
  if (!is_zero(taken)) return refuse("has padding that is not zero");
  bytes.remove_prefix(taken.size());
  position_ += taken.size();
  padding_ -= taken.size();
  if (padding_ == 0) state_ = State::header;
  return {};
}

/// Looks at what was gathered. False where more is wanted: the rest of a pax header, or the second block of the end.
Result<bool> TarReader::take_header() {
  if (state_ == State::end) {
    if (!is_zero(gathered_)) return refuse("is followed by half an end of the tar");
    state_ = State::ended;
    return false;
  }
  const bool first = gathered_.size() == kTarBlock;
  if (first && is_zero(gathered_)) {
    state_ = State::end;
    gathered_.clear();
    return false;
  }
  if (first && !tar_checksum_holds(gathered_)) return refuse("is followed by a header with a wrong checksum");
  if (first && gathered_[kTarType] == kPaxOfOne) {
    const auto size = tar_number(gathered_, kTarLength, kTarLengthSize);
    if (!size || *size == 0 || *size > kMostPax) return refuse("is followed by a pax header of a wrong size");
    wanted_ = kTarBlock + static_cast<std::size_t>(*size + tar_padding(*size)) + kTarBlock;
    return false;
  }
  BERTH_CHECK(accept(gathered_));
  gathered_.clear();
  wanted_ = kTarBlock;
  return true;
}

/// `blocks`: a header, with its pax header in front where it has one.
Result<void> TarReader::accept(std::string_view blocks) {
  PaxRecords pax;
  const std::string_view header = blocks.substr(blocks.size() - kTarBlock);
  if (blocks.size() > kTarBlock) {
    BERTH_TRY(const auto size, tar_number(blocks, kTarLength, kTarLengthSize));
    auto records = read_pax(blocks.substr(kTarBlock, static_cast<std::size_t>(size)));
    if (!records) return refuse("is followed by " + records.error().message);
    pax = std::move(*records);
    if (!tar_checksum_holds(header)) return refuse("is followed by a header with a wrong checksum");
  }
  auto found = read_entry(header, pax);
  if (!found) {
    entry_.path = pax.path.empty() ? tar_text(header, kTarName, kTarNameSize) : pax.path;
    return refuse(found.error().message);
  }
  entry_ = std::move(*found);
  if (const std::string wrong = rules_.wrong(entry_); !wrong.empty()) return refuse(wrong);
  ++count_;
  if (tar_header(entry_) != blocks) return refuse("has a header that is not in the canonical form");
  left_ = entry_.size;
  padding_ = tar_padding(entry_.size);
  state_ = left_ == 0 ? State::header : State::content;
  return {};
}

std::unexpected<Error> TarReader::refuse(std::string_view what) const {
  return fail(Errc::trust, fmt::format("tar: '{}' {}", shown(entry_.path), what));
}

}  // namespace berth::bundle
