#include "core/bundle/tar_header.h"

#include <algorithm>
#include <numeric>

#include <fmt/core.h>

namespace berth::bundle {
namespace {

constexpr std::size_t kChecksum = 148, kChecksumSize = 8;
constexpr std::uint64_t kLargestOctal = 077777777777;  // 11 digits
constexpr const char* kTime = "00000000001";           // a second after 1970, since GNU tar warns of 0

void put(std::string& block, std::size_t offset, std::string_view text) { block.replace(offset, text.size(), text); }

std::uint32_t checksum(std::string_view block) {
  const auto add = [](std::uint32_t sum, char c) { return sum + static_cast<unsigned char>(c); };
  const std::string_view before = block.substr(0, kChecksum), after = block.substr(kChecksum + kChecksumSize);
  return std::accumulate(after.begin(), after.end(), std::accumulate(before.begin(), before.end(), 0u, add), add) + kChecksumSize * ' ';
}

struct Fields {
  std::string_view name, link;
  std::uint32_t mode = 0;
  std::uint64_t size = 0;
  char type = '0';
};

std::string ustar(const Fields& fields) {
  std::string block(kTarBlock, '\0');
  put(block, kTarName, fields.name.substr(0, kTarNameSize));
  put(block, kTarMode, fmt::format("{:07o}", fields.mode));
  put(block, 108, "0000000");  // uid
  put(block, 116, "0000000");  // gid
  put(block, kTarLength, fmt::format("{:011o}", fields.size));
  put(block, 136, kTime);
  block[kTarType] = fields.type;
  put(block, kTarLink, fields.link.substr(0, kTarLinkSize));
  put(block, 257, std::string_view("ustar\00000", 8));
  put(block, 265, "root");
  put(block, 297, "root");
  put(block, 329, "0000000");  // device
  put(block, 337, "0000000");
  put(block, kChecksum, fmt::format("{:06o}", checksum(block)));
  block[kChecksum + 7] = ' ';  // after six digits and a NUL, by custom
  return block;
}

/// "27 path=…\n": a record begins with its own length, in which the digits of the length count.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

char type_of(EntryType type) { return type == EntryType::directory ? '5' : type == EntryType::symlink ? '2' : '0'; }

std::string pax_records(const Entry& entry, std::string_view name, std::uint64_t size) {
  std::string records;
  if (entry.target.size() > kTarLinkSize) records += pax_record("linkpath", entry.target);
  if (name.size() > kTarNameSize) records += pax_record("path", name);
  if (size > kLargestOctal) records += pax_record("size", std::to_string(size));
  return records;
}

std::string name_of(const Entry& entry) { return entry.type == EntryType::directory ? entry.path + "/" : entry.path; }

}  // namespace

std::string tar_header(const Entry& entry) {
  const std::string name = name_of(entry);
  const std::uint64_t size = entry.type == EntryType::file ? entry.size : 0;
  const std::string records = pax_records(entry, name, size);
  std::string header;
  if (!records.empty()) {
    header = ustar({.name = "PaxHeaders", .link = {}, .mode = 0644, .size = records.size(), .type = 'x'}) + records;
    header.append(tar_padding(records.size()), '\0');
  }
  const Fields fields{.name = name, .link = entry.target, .mode = entry.mode, .size = size > kLargestOctal ? 0 : size, .type = type_of(entry.type)};
  return header + ustar(fields);
}

std::uint64_t tar_size(const Entry& entry) {
  const std::uint64_t size = entry.type == EntryType::file ? entry.size : 0;
  const std::uint64_t content = kTarBlock + size + tar_padding(size);
  const std::string records = pax_records(entry, name_of(entry), size);
  if (records.empty()) return content;
  return kTarBlock + records.size() + tar_padding(records.size()) + content;
}

std::string_view tar_text(std::string_view block, std::size_t offset, std::size_t size) {
  const std::string_view field = block.substr(offset, size);
  return field.substr(0, field.find('\0'));
}

Result<std::uint64_t> tar_number(std::string_view block, std::size_t offset, std::size_t size) {
  const std::string_view digits = block.substr(offset, size - 1);
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '7') return fail(Errc::trust, "a number that is not octal digits");
    number = number * 8 + static_cast<std::uint64_t>(c - '0');
  }
  if (block[offset + size - 1] != '\0') return fail(Errc::trust, "a number without its end");
  return number;
}

bool tar_checksum_holds(std::string_view block) { return block.substr(kChecksum, 6) == fmt::format("{:06o}", checksum(block)); }

}  // namespace berth::bundle
