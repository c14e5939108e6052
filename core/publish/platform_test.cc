#include "core/publish/platform.h"

#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

class Platform : public PublishTest {
 protected:
  void program(const std::string& name, std::string_view bytes, mode_t mode = 0755) {
    put("tree/" + name, bytes, mode);
    entries.push_back({.path = name, .mode = mode, .size = bytes.size()});
  }
  Result<std::string> detect() const { return detect_platform(at("tree"), entries); }

  std::vector<bundle::Entry> entries;
};

TEST_F(Platform, IsThatOfTheProgramsInTheTree) {
  program("bin/server", program_for(kAmd64));
  program("bin/run", "#!/bin/sh\nexec bin/server, which is longer than a header\n");
  EXPECT_EQ(detect().value(), "linux/amd64");
  entries.clear();
  program("bin/arm", program_for(kArm64));
  EXPECT_EQ(detect().value(), "linux/arm64");
}

TEST_F(Platform, IsAnyWhereNothingIsAProgram) {
  program("bin/run", "#!/bin/sh\nexec python3 -m http.server 8080\n");
  program("data/firmware", program_for(kArm64), 0644);
  program("bin/empty", "");
  std::string core = program_for(kArm64);
  core[16] = 4;  // a core dump is no program
  program("core", core);
  EXPECT_EQ(detect().value(), "any");
}

TEST_F(Platform, CannotBeTwo) {
  program("bin/one", program_for(kAmd64));
  program("bin/two", program_for(kArm64));
  EXPECT_THAT(detect(), Refuses(Errc::usage, "bin/one is for linux/amd64, and bin/two for linux/arm64"));
}

TEST_F(Platform, IsOneThatBerthRunsOn) {
  program("bin/strange", program_for(kRiscV));
  EXPECT_THAT(detect(), Refuses(Errc::usage, "bin/strange is a program for a machine that berth does not run on (ELF machine 243"));
  entries.clear();
  std::string narrow = program_for(kAmd64);
  narrow[4] = 1;
  program("bin/x32", narrow);
  EXPECT_THAT(detect(), Refuses(Errc::usage, "bin/x32"));
}

}  // namespace
}  // namespace berth::publish
