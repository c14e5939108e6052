#include "core/ids.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Names, AreALowerCaseLetterThenUpToThirtyOfLettersDigitsAndDashes) {
  for (const char* good : {"a", "web", "web-2", "a123456789012345678901234567890"}) EXPECT_TRUE(is_name(good)) << good;
  for (const char* bad : {"", "2web", "-web", "Web", "we_b", "web.", "a1234567890123456789012345678901", "wéb"})
    EXPECT_FALSE(is_name(bad)) << bad;
}

TEST(ReleaseIds, BeginWithALetterOrDigitAndCannotBePaths) {
  for (const char* good : {"v1", "2026-11-24T10.00", "A_b-c.d"}) EXPECT_TRUE(is_release_id(good)) << good;
  for (const char* bad : {"", ".", "..", "-v1", "a/b", "v1 ", "v:1"}) EXPECT_FALSE(is_release_id(bad)) << bad;
  EXPECT_TRUE(is_release_id(std::string(64, 'x')));
  EXPECT_FALSE(is_release_id(std::string(65, 'x')));
}

TEST(ReleaseRef, ReadsAppEnvironmentAndRelease) {
  EXPECT_EQ(parse_release_ref("web").value(), (ReleaseRef{"web", "", ""}));
  EXPECT_EQ(parse_release_ref("web@v42").value(), (ReleaseRef{"web", "", "v42"}));
  EXPECT_EQ(parse_release_ref("web/production@v42").value(), (ReleaseRef{"web", "production", "v42"}));
  EXPECT_EQ(to_string(*parse_release_ref("web/production@v42")), "web/production@v42");
}

TEST(ReleaseRef, SaysWhichPartIsWrong) {
  for (const auto& [text, part] : {std::pair{"Web@v1", "app 'Web'"}, {"web@", "release id ''"}, {"web/QA@v1", "environment 'QA'"}}) {
    const auto ref = parse_release_ref(text);
    ASSERT_FALSE(ref) << text;
    EXPECT_EQ(ref.error().code, Errc::usage);
    EXPECT_NE(ref.error().message.find(part), std::string::npos) << ref.error().message;
  }
}

TEST(Selector, NamesAnAppAProcessOrOneInstance) {
  const InstanceId second{"web", "worker", 2, "v42"};
  for (const char* text : {"web", "web/worker", "web/worker.2", "web@v42", "web/worker.2@v42"})
    EXPECT_TRUE(parse_selector(text).value().matches(second)) << text;
  for (const char* text : {"db", "web/web", "web/worker.1", "web@v41"})
    EXPECT_FALSE(parse_selector(text).value().matches(second)) << text;
  for (const char* text : {"web/worker.0", "web/worker.x", "web/", "/worker", "web/worker.1x"}) EXPECT_FALSE(parse_selector(text)) << text;
}

TEST(InstanceId, IsWrittenAsDesigned) {
  EXPECT_EQ(to_string(InstanceId{"web", "worker", 2, ""}), "web/worker.2");
  EXPECT_EQ(to_string(InstanceId{"web", "worker", 2, "v42"}), "web/worker.2@v42");
}

}  // namespace
}  // namespace berth
