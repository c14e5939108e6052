#include "core/publish/archive.h"

#include "core/image/archive_items.h"
#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using image::Item;

class Archive : public PublishTest {
 protected:
  using Setup = int (*)(archive*);

  /// Writes an archive of a format, through a filter.
  fs::path write(const std::string& name, const std::vector<Item>& items, Setup format = &::archive_write_set_format_pax,
                 Setup filter = &::archive_write_add_filter_none) {
    archive* writer = ::archive_write_new();
    format(writer);
    filter(writer);
    EXPECT_EQ(::archive_write_open_filename(writer, at(name).c_str()), ARCHIVE_OK) << ::archive_error_string(writer);
    image::write_and_free(writer, items);
    return at(name);
  }

  Result<std::vector<std::string>> unpack(const fs::path& archive, const ArchiveLimits& limits = {}) {
    EXPECT_TRUE(files::remove_tree(at("out")));
    return unpack_archive(archive, at("out"), limits);
  }

  mode_t mode_of(const fs::path& name) const {
    struct stat about {};
    EXPECT_EQ(::lstat(at(name).c_str(), &about), 0) << name;
    return about.st_mode & 07777;
  }

  const std::vector<Item> kSite{{.path = "./site/", .mode = 0700, .type = AE_IFDIR},
                                {.path = "site/bin/server", .content = "program", .mode = 0700},
                                {.path = "site/html/größe.html", .content = "<p>", .mode = 0664},
                                {.path = "site/current", .mode = 0777, .type = AE_IFLNK, .link = "bin/server"}};
};

TEST_F(Archive, OfEveryKindIsUnpacked) {
  const std::tuple<const char*, Setup, Setup> table[] = {
      {"site.zip", &::archive_write_set_format_zip, &::archive_write_add_filter_none},
      {"site.tar", &::archive_write_set_format_pax, &::archive_write_add_filter_none},
      {"old.tar", &::archive_write_set_format_gnutar, &::archive_write_add_filter_none},
      {"site.tar.gz", &::archive_write_set_format_pax, &::archive_write_add_filter_gzip},
      {"site.tar.xz", &::archive_write_set_format_pax, &::archive_write_add_filter_xz},
      {"site.tar.zst", &::archive_write_set_format_pax, &::archive_write_add_filter_zstd},
      {"site.tar.bz2", &::archive_write_set_format_pax, &::archive_write_add_filter_bzip2},
  };
  for (const auto& [name, format, filter] : table) {
    const auto notes = unpack(write(name, kSite, format, filter));
    ASSERT_TRUE(notes) << name << ": " << notes.error().message;
    EXPECT_THAT(*notes, IsEmpty());
    EXPECT_EQ(content(at("out/site/bin/server")), "program") << name;
    EXPECT_EQ(content(at("out/site/html/größe.html")), "<p>") << name;
    EXPECT_EQ(fs::read_symlink(at("out/site/current")), "bin/server") << name;
    EXPECT_EQ(mode_of("out/site/bin/server"), 0755u) << name;
    EXPECT_EQ(mode_of("out/site/html/größe.html"), 0644u) << name;
  }
}

TEST_F(Archive, DoesNotWriteOutsideOfItsFolder) {
  EXPECT_THAT(unpack(write("a.tar", {{.path = "a/../../evil", .content = "x"}})), Refuses(Errc::usage, "'a/../../evil' leads out of the archive"));
  EXPECT_THAT(unpack(write("b.tar", {{.path = "/etc/evil", .content = "x"}})), Refuses(Errc::usage, "'/etc/evil' is an absolute path"));
  EXPECT_THAT(unpack(write("c.zip", {{.path = "../evil", .content = "x"}}, &::archive_write_set_format_zip)), Refuses(Errc::usage, "leads out"));
  EXPECT_THAT(unpack(write("d.tar", {{.path = "d/out", .type = AE_IFLNK, .link = "../../evil"}})),
              Refuses(Errc::usage, "'d/out' is a link to '../../evil'"));
  EXPECT_THAT(unpack(write("e.tar", {{.path = "e", .type = AE_IFLNK, .link = "/etc"}})), Refuses(Errc::usage, "leads out"));
  EXPECT_THAT(unpack(write("f.tar", {{.path = "f", .link = "../../etc/passwd", .hard = true}})), Refuses(Errc::usage, "leads out"));
  EXPECT_FALSE(fs::exists(at("evil")));
}

TEST_F(Archive, DoesNotWriteThroughALinkOfItsOwn) {
  put("elsewhere/keep", "kept");
  const auto through =
      unpack(write("a.tar", {{.path = "d", .type = AE_IFDIR}, {.path = "l", .type = AE_IFLNK, .link = "d"}, {.path = "l/file", .content = "x"}}));
  EXPECT_THAT(through, Refuses(Errc::usage, "'l' is a folder and something else as well"));
  EXPECT_FALSE(fs::exists(at("out/d/file")));
}

TEST_F(Archive, CannotBringDevicesOrPipes) {
  const auto notes = unpack(write("a.tar", {{.path = "dev/null", .type = AE_IFCHR}, {.path = "pipe", .type = AE_IFIFO}, {.path = "page", .content = "x"}}));
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(*notes, ElementsAre("2 files are devices, pipes or sockets, and are left out: dev/null, pipe"));
  for (const char* path : {"out/dev/null", "out/pipe"}) EXPECT_FALSE(fs::exists(fs::symlink_status(at(path)))) << path;
  EXPECT_EQ(content(at("out/page")), "x");
  EXPECT_THAT(unpack(write("b.tar", {{.path = "../null", .type = AE_IFCHR}})), Refuses(Errc::usage, "'../null' leads out of the archive"));
  EXPECT_THAT(unpack(write("c.tar", {{.path = "/dev/null", .type = AE_IFIFO}})), Refuses(Errc::usage, "'/dev/null' is an absolute path"));
  EXPECT_THAT(unpack(write("d.tar", {{.path = "l", .type = AE_IFLNK, .link = "d"}, {.path = "d", .type = AE_IFIFO}, {.path = "l/x", .content = "x"}})),
              Refuses(Errc::usage, "'l' is a folder and something else as well"));
}

TEST_F(Archive, LosesFileCapabilitiesAndSaysSo) {
  const auto notes = unpack(write("a.tar", {{.path = "bin/ping", .content = "x", .mode = 0755, .capability = true}, {.path = "bin/true", .content = "x"}}));
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(*notes, ElementsAre("bin/ping had file capabilities, which no build keeps"));
}

TEST_F(Archive, LosesSetuidBitsAndSaysSo) {
  const auto notes = unpack(write("a.tar", {{.path = "bin/ping", .content = "x", .mode = 04755}}));
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(*notes, ElementsAre(HasSubstr("bin/ping had a setuid")));
  EXPECT_EQ(mode_of("out/bin/ping"), 0755u);
}

TEST_F(Archive, HasHardlinksToFilesThatCameBefore) {
  const auto notes =
      unpack(write("a.tar", {{.path = "bin/one", .content = "x", .mode = 0755}, {.path = "bin/two", .link = "bin/one", .hard = true}}));
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_EQ(content(at("out/bin/two")), "x");
  EXPECT_THAT(unpack(write("b.tar", {{.path = "two", .link = "later", .hard = true}})), Refuses(Errc::usage, "'two' is a link to 'later'"));
}

TEST_F(Archive, HasEachPathOnce) {
  EXPECT_THAT(unpack(write("a.tar", {{.path = "a", .content = "1"}, {.path = "./a", .content = "2"}})), Refuses(Errc::usage, "'a' is in it twice"));
}

TEST_F(Archive, IsBounded) {
  const auto bomb = write("bomb.tar.gz", {{.path = "zeros", .content = std::string(3u << 20, '\0')}}, &::archive_write_set_format_pax,
                          &::archive_write_add_filter_gzip);
  EXPECT_THAT(unpack(bomb, {.bytes = 1u << 20}), Refuses(Errc::usage, "more than the 1048576 bytes"));
  EXPECT_THAT(unpack(write("many.tar", {{.path = "a"}, {.path = "b"}, {.path = "c"}}), {.entries = 2}),
              Refuses(Errc::usage, "more than the 2 entries"));
}

TEST_F(Archive, ThatIsNoneOrDamagedIsNamed) {
  put("text.zip", "this is no archive at all, but a line of text");
  EXPECT_THAT(unpack(at("text.zip")), Refuses(Errc::usage, "text.zip"));
  put("empty.tar", "");
  EXPECT_THAT(unpack(at("empty.tar")), Refuses(Errc::usage, "empty.tar"));
  const auto whole = write("cut.tar.xz", {{.path = "a", .content = std::string(200'000, 'x') + "end"}}, &::archive_write_set_format_pax,
                           &::archive_write_add_filter_xz);
  fs::resize_file(whole, fs::file_size(whole) / 2);
  EXPECT_THAT(unpack(whole), Refuses(Errc::usage, "cut.tar.xz"));
  EXPECT_THAT(unpack(at("missing.tar")), Refuses(Errc::not_found, "missing.tar"));
}

}  // namespace
}  // namespace berth::publish
