#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/bundle_fixture.h"
#include "core/bundle/index_reader.h"
#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"

namespace berth::bundle {
namespace {

using testing::HasSubstr;

const std::string kHash(64, 'a');

/// A tar of a folder (512), a file of 20 MiB (512 + content), a link (512), and its end (1024).
constexpr std::uint64_t kBig = 20u << 20;
constexpr std::uint64_t kTar = 3 * 512 + kBig + 1024;

LayerIndex sample_index() {
  return {
      .frames = {{.offset = 0, .size = 1'000'000, .tar_size = kFrame}, {.offset = 1'000'000, .size = 200'000, .tar_size = kTar - kFrame}},
      .chunks = {kHash, kHash},
      .entries = {{.path = "bin", .type = EntryType::directory, .mode = 0755},
                  {.path = "bin/server", .type = EntryType::file, .mode = 0755, .size = kBig, .sha256 = kHash},
                  {.path = "server", .type = EntryType::symlink, .mode = 0777, .target = "bin/server"}}};
}

/// A layer that has `index`, whatever it says.
LayerRef layer_with(std::string_view index) {
  return {.blob = {.sha256 = kHash, .size = 1'200'000},
          .index = {.sha256 = crypto::sha256_hex(index), .size = index.size()},
          .tar_sha256 = kHash,
          .tar_size = kTar};
}

TEST(LayerIndex, IsWrittenAndReadAgain) {
  const std::string text = to_canonical_json(sample_index());
  const auto parsed = parse_index(text, layer_with(text));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, sample_index());
}

TEST(LayerIndex, IsCanonicalJson) {
  LayerIndex index{.frames = {{.offset = 0, .size = 30, .tar_size = 1024}}, .chunks = {"ab"}, .entries = {}};
  EXPECT_EQ(to_canonical_json(index), R"({"chunks":["ab"],"entries":[],"format":1,"frames":[{"offset":0,"size":30,"tar_size":1024}]})");
}

TEST(LayerIndex, IsReadWithoutATreeOfValues) {
  LayerIndex index = sample_index();
  index.entries[1].path = "bin/a \"quoted\" back\\slash, ümläut and 漢字";
  index.entries[2].target = index.entries[1].path;
  EXPECT_EQ(read_index(to_canonical_json(index)), index);
  EXPECT_EQ(read_index(to_canonical_json(LayerIndex())), LayerIndex());
}

TEST(LayerIndex, IsReadSoInItsCanonicalFormAlone) {
  const std::string text = to_canonical_json(sample_index());
  const struct {
    std::string from, to;
  } kCases[] = {{"{", " {"},
                {R"("size":20971520)", R"("size":020971520)"},
                {R"("size":20971520)", R"("size":20971520.0)"},
                {R"("size":20971520)", R"("size":2.097152e7)"},
                {R"("size":20971520)", R"("size":+20971520)"},
                {R"("size":20971520)", R"("size":18446744073729523136)"},
                {R"("size":1000000,)", R"("size":0,)"},
                {"bin/server", R"(bin\/server)"},
                {"bin/server", R"(bin/s\u0065rver)"},
                {"bin/server", "bin/\tserver"},
                {"bin/server", "bin/\xff"},
                {"bin/server", "bin/\xc0\xaf"},
                {R"("path":"bin/server",)", R"("path":"bin/server","path":"bin/server",)"},
                {R"("mode":"0755","path":"bin/server")", R"("path":"bin/server","mode":"0755")"},
                {R"("type":"directory")", R"("size":0,"type":"directory")"},
                {R"("type":"directory")", R"("target":"x","type":"directory")"},
                {R"("type":"directory")", R"("more":1,"type":"directory")"},
                {R"("target":"bin/server",)", ""},
                {R"("format":1)", R"("format":1,"format":1)"},
                {R"("format":1)", R"("format":01)"}};
  for (const auto& [from, to] : kCases) EXPECT_FALSE(read_index(replaced(text, from, to))) << to;
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(read_index(text.substr(0, size))) << size;
  EXPECT_FALSE(read_index(text + ' '));
}

TEST(LayerIndex, ThatBreaksARuleIsRefusedByName) {
  const struct {
    const char *from, *to, *why;
  } kCases[] = {{R"("format":1)", R"("format":2)", "member 'format' is 2"},
                {R"("format":1)", R"("format":1,"more":1)", "member 'more' is not known"},
                {R"("format":1)", R"("format":1 )", "is not in canonical form"},
                {R"("format":1,)", "", "member 'format' is missing"},
                {R"("offset":0)", R"("offset":1)", "a frame begins at 1, and the one before ends at 0"},
                {R"("offset":1000000)", R"("offset":1000001)", "a frame begins at 1000001, and the one before ends at 1000000"},
                {R"("size":200000)", R"("size":200001)", "its frames have 1200001 bytes, and the blob 1200000"},
                {R"("size":200000)", R"("size":99999999)", "member 'size' is 99999999"},
                {R"("size":200000)", R"("size":-1)", "member 'size' is -1"},
                {R"("tar_size":16777216)", R"("tar_size":16777217)", "member 'tar_size' is 16777217"},
                {R"("tar_size":16777216)", R"("tar_size":16777215)", "less than 16 MiB of tar"},
                {R"("tar_size":4196864)", R"("tar_size":4196352)", "its frames hold 20973568 bytes of tar"},
                {R"("chunks":["aa)", R"("chunks":["Aa)", "a chunk's hash is no SHA-256"},
                {R"("chunks":[)", R"("chunks":[1,)", "it has 3 chunks, and the blob 2"},
                {R"("path":"bin/server")", R"("path":"bin/../x")", "'bin/../x' has a part '.' or '..'"},
                {R"("path":"bin/server")", R"("path":"/bin/server")", "is absolute"},
                {R"("path":"bin/server")", R"("path":"a")", "'a' comes after 'bin', out of order"},
                {R"("path":"bin/server")", R"("path":"bin")", "'bin' is there twice"},
                {R"("path":"bin/server")", R"("path":"bio/server")", "'bio/server' comes without its folder"},
                {R"("mode":"0755","path":"bin/server")", R"("mode":"4755","path":"bin/server")", "member 'mode' is none of"},
                {R"("mode":"0755","path":"bin/server")", R"("mode":"0777","path":"bin/server")", "'bin/server' has mode 0777"},
                {R"("mode":"0755","path":"bin/server")", R"("mode":493,"path":"bin/server")", "member 'mode' is not a string"},
                {R"("size":20971520)", R"("size":20971008)", "do not make a tar of"},
                {R"("size":20971520)", R"("size":9000000000000000000)", "member 'size' is 9000000000000000000"},
                {R"("type":"symlink")", R"("type":"hardlink")", "member 'type' is 'hardlink'"},
                {R"("type":"symlink")", R"("type":"file")", "member 'size' is missing"},
                {R"("target":"bin/server")", R"("target":"/bin/server")", "'server' target is absolute"},
                {R"("target":"bin/server")", R"("target":"../server")", "'server' target leads out of the tree"},
                {R"("target":"bin/server")", R"("size":0,"target":"bin/server")", "member 'size' is not known"},
                {"{", "[", "JSON"}};
  for (const auto& [from, to, why] : kCases) {
    const std::string text = replaced(to_canonical_json(sample_index()), from, to);
    const auto parsed = parse_index(text, layer_with(text));
    ASSERT_FALSE(parsed) << to;
    EXPECT_EQ(parsed.error().code, Errc::trust) << to;
    EXPECT_THAT(parsed.error().message, testing::StartsWith("index")) << to;
    EXPECT_THAT(parsed.error().message, HasSubstr(why)) << to;
  }
}

TEST(LayerIndex, OfAnotherLayerIsRefused) {
  const std::string text = to_canonical_json(sample_index());
  LayerRef layer = layer_with(text);
  layer.index.sha256[0] = layer.index.sha256[0] == '0' ? '1' : '0';
  const auto parsed = parse_index(text, layer);
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, HasSubstr(layer.index.sha256));
  layer = layer_with(text);
  layer.tar_size += 512;
  EXPECT_FALSE(parse_index(text, layer));
  layer = layer_with(text);
  layer.blob.size -= 1;
  EXPECT_FALSE(parse_index(text, layer));
}

}  // namespace
}  // namespace berth::bundle
