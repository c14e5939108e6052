#include "core/bundle/tar_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/bundle_fixture.h"
#include "core/bundle/tar_header.h"

namespace berth::bundle {
namespace {

using testing::HasSubstr;

class TarReaderTest : public FolderTest {};

/// Puts `bytes` into a header block and makes its checksum right again.
std::string changed_header(std::string block, std::size_t offset, std::string_view bytes) {
  block.replace(offset, bytes.size(), bytes);
  block.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  return block.replace(148, 7, digits, 7);
}

std::string header(const std::string& path, EntryType type = EntryType::file, std::uint64_t size = 0, const std::string& target = {}) {
  return tar_header({.path = path,
                     .type = type,
                     .mode = type == EntryType::symlink ? 0777u
                             : type == EntryType::file  ? 0644u
                                                        : 0755u,
                     .size = size,
                     .target = target});
}

const std::string kEnd(kTarEnd, '\0');

TEST_F(TarReaderTest, ReadsWhatWasWrittenInPiecesOfAnySize) {
  put_all_kinds();
  const std::string whole = tar();
  const auto wanted = entries();
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{7}, std::size_t{511}, std::size_t{512}, std::size_t{513}, std::size_t{4096}, whole.size()}) {
    const auto found = read_tar(whole, piece);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto& [entry, content] = (*found)[i];
      Entry expected = wanted[i];
      expected.sha256.clear();
      EXPECT_EQ(entry, expected) << entry.path;
      const bool file = entry.type == EntryType::file;
      EXPECT_EQ(content, file ? must(files::read(root / entry.path, 1000)) : "") << entry.path;
    }
  }
}

/// Every flipped byte is refused, but for those that the index alone can tell: of a file's content, and of a path or target past the 100
/// bytes for which the ustar header has room and a checksum.
TEST_F(TarReaderTest, RefusesEveryFlippedByteThatATarCanTell) {
  put_all_kinds();
  const std::string whole = tar();
  const auto before = must(read_tar(whole));
  std::size_t accepted = 0, expected = 0;
  const auto past_ustar = [](const std::string& name) { return name.size() > kTarNameSize ? name.size() - kTarNameSize : 0; };
  for (const auto& [entry, bytes] : before) expected += bytes.size() + past_ustar(entry.path) + past_ustar(entry.target);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    const auto found = read_tar(flipped);
    if (!found) continue;
    ++accepted;
    EXPECT_TRUE(*found != before) << at;
  }
  EXPECT_EQ(accepted, expected);
}

TEST_F(TarReaderTest, RefusesATarThatIsCutShortAnywhere) {
  put("a", "content");
  put("b", "");
  const std::string whole = tar();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto found = read_tar(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(found) << size;
    EXPECT_EQ(found.error().code, Errc::trust);
  }
  EXPECT_TRUE(read_tar(whole));
}

TEST_F(TarReaderTest, RefusesWhatIsNotOfALayer) {
  const auto typed = [](char type) { return changed_header(header("x"), kTarType, std::string(1, type)) + kEnd; };
  const struct {
    std::string tar;
    const char* why;
  } kCases[] = {{typed('1'), "is a hard link"},
                {typed('3'), "is a device"},
                {typed('4'), "is a device"},
                {typed('6'), "is a FIFO"},
                {typed('7'), "of type 0x37"},
                {typed('\0'), "of type 0x00"},
                {typed('S'), "is a sparse file"},
                {typed('g'), "is a global pax header"},
                {typed('L'), "of type 0x4c"},
                {typed('x') + kEnd, "pax header of a wrong size"},
                {changed_header(header("x"), kTarMode, "0004755") + kEnd, "has mode 4755"},
                {changed_header(header("x"), kTarMode, "0000777") + kEnd, "has mode 0777"},
                {changed_header(header("x"), kTarMode, "x") + kEnd, "not octal digits"},
                {changed_header(header("x"), kTarLength, "-") + kEnd, "not octal digits"},
                {changed_header(header("x"), kTarLength, std::string(1, '\x80')) + kEnd, "not octal digits"},
                {changed_header(header("x"), 108, "0001750") + kEnd, "not in the canonical form"},      // owner
                {changed_header(header("x"), 136, "00000000002") + kEnd, "not in the canonical form"},  // time
                {changed_header(header("x"), 257, "ustar  ") + kEnd, "not in the canonical form"},      // GNU
                {changed_header(header("x"), 345, "prefix") + kEnd, "not in the canonical form"},
                {changed_header(header("x"), 265, "nobody") + kEnd, "not in the canonical form"},
                {replaced(header("x"), "root", "roOt") + kEnd, "wrong checksum"},
                {header("/etc/passwd") + kEnd, "is absolute"},
                {header("../x") + kEnd, "'.' or '..'"},
                {header("a/../../x") + kEnd, "'.' or '..'"},
                {header("./x") + kEnd, "'.' or '..'"},
                {header("a//x") + kEnd, "has an empty part"},
                {header("a\nx") + kEnd, "'a?x' has control characters"},
                {header("\xff") + kEnd, "is not UTF-8"},
                {header("") + kEnd, "is empty"},
                {header("", EntryType::directory) + kEnd, "is empty"},
                {header("x/") + kEnd, "has an empty part"},
                {changed_header(header("d", EntryType::directory), kTarName + 1, std::string(1, '\0')) + kEnd, "not in the canonical form"},
                {header("a") + header("a") + kEnd, "'a' is there twice"},
                {header("b") + header("a") + kEnd, "'a' comes after 'b', out of order"},
                {header("d/x") + kEnd, "comes without its folder"},
                {header("d") + header("d/x") + kEnd, "comes without its folder"},
                {header("d", EntryType::symlink, 0, "e") + header("d/x") + kEnd, "comes without its folder"},
                {header("l", EntryType::symlink, 0, "/etc") + kEnd, "target is absolute"},
                {header("l", EntryType::symlink, 0, "../x") + kEnd, "target leads out of the tree"},
                {header("l", EntryType::symlink) + kEnd, "target is empty"},
                {changed_header(header("x"), kTarLink, "y") + kEnd, "has a target, and is no link"},
                {changed_header(header("d", EntryType::directory), kTarLength, "00000000001") + kEnd, "has a size, and is no file"},
                {header("x") + kEnd + "x", "followed by bytes after the tar's end"},
                {header("x") + kEnd + kEnd, "followed by bytes after the tar's end"},
                {header("x") + std::string(512, '\0') + header("y"), "followed by half an end"}};
  for (const auto& [bytes, why] : kCases) {
    const auto found = read_tar(bytes);
    ASSERT_FALSE(found) << why;
    EXPECT_EQ(found.error().code, Errc::trust) << why;
    EXPECT_THAT(found.error().message, HasSubstr(why));
  }
}

/// A pax header with `records`, before one for a file.
std::string with_pax(const std::string& records, const std::string& path) {
  std::string size(12, '\0');
  std::snprintf(size.data(), size.size(), "%011zo", records.size());
  std::string block = changed_header(header("PaxHeaders"), kTarType, "x");
  block = changed_header(block, kTarLength, size);
  return block + records + std::string(tar_padding(records.size()), '\0') + header(path) + kEnd;
}

TEST_F(TarReaderTest, KnowsThePaxRecordsOfALayerOnly) {
  const std::string name(150, 'n');
  const std::string good = header(name) + kEnd;
  ASSERT_TRUE(read_tar(good));
  EXPECT_EQ(good.size(), 3u * 512 + kTarEnd);
  const std::pair<std::string, const char*> kCases[] = {{"", "pax header of a wrong size"},
                                                        {std::string(2049, 'x'), "pax header of a wrong size"},
                                                        {"12 mtime=1.5\n", "malformed"},
                                                        {"13 mtime=1.5\n", "a pax record 'mtime'"},
                                                        {"22 SCHILY.xattr.user=x\n", "malformed"},
                                                        {"23 SCHILY.xattr.user=x\n", "a pax record 'SCHILY.xattr.user'"},
                                                        {"11 path=ab\n", "not in the canonical form"},  // ustar has room for it
                                                        {"11 size=x1\n", "a pax size that is no number"},
                                                        {"9999999999999999999999 path=x\n", "malformed"},
                                                        {"99 path=x\n", "malformed"},
                                                        {"0 path=x\n", "malformed"},
                                                        {"path=x\n", "malformed"}};
  for (const auto& [records, why] : kCases) {
    const auto found = read_tar(with_pax(records, "ab"));
    ASSERT_FALSE(found) << records;
    EXPECT_THAT(found.error().message, HasSubstr(why)) << records;
  }
}

TEST_F(TarReaderTest, HasNoWayToRepeatItselfWithoutEnd) {
  const std::string twice = with_pax("160 path=" + std::string(150, 'n') + "\n", "x").substr(0, 1024);
  const auto found = read_tar(twice + twice + kEnd);
  ASSERT_FALSE(found);
}

TEST(TarHeader, IsCountedWithoutBeingWritten) {
  for (const std::size_t length : {1, 99, 100, 101, 250, 600})
    for (const std::size_t target : {0, 100, 101, 700}) {
      const std::string path(length, 'p');
      const Entry file{.path = path, .size = 513, .sha256 = {}, .target = {}};
      const Entry link{.path = path, .type = EntryType::symlink, .mode = 0777, .size = 0, .sha256 = {}, .target = std::string(target, 't')};
      const Entry folder{.path = path, .type = EntryType::directory, .mode = 0755, .size = 0, .sha256 = {}, .target = {}};
      EXPECT_EQ(tar_size(file), tar_header(file).size() + 1024) << length;
      EXPECT_EQ(tar_size(link), tar_header(link).size()) << length << ' ' << target;
      EXPECT_EQ(tar_size(folder), tar_header(folder).size()) << length;
    }
}

TEST(TarHeader, TakesAnySizeOfFile) {
  const Entry entry{.path = "huge", .size = std::uint64_t{9} << 30};
  const std::string blocks = tar_header(entry);
  TarReader reader;
  std::string_view bytes = blocks;
  ASSERT_EQ(must(reader.next(bytes)), TarReader::Step::entry);
  EXPECT_EQ(reader.entry().size, entry.size);
  EXPECT_EQ(tar_size(entry), 3 * kTarBlock + entry.size);
}

}  // namespace
}  // namespace berth::bundle
