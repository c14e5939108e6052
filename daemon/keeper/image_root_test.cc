#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

/// A keeper whose app has a root of its own: a static program, and nothing else of the node.
class ImageRoot : public KeeperFixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounts need root";
    KeeperFixture::SetUp();
    image = root / "slot/app";
    for (const char* folder : {"bin", "lib", "berth/data", "berth/config", "dev", "proc", "run", "tmp", "etc"}) fs::create_directories(image / folder);
    // The shell and what it is linked with.
    for (const char* file : {"/bin/sh", "/bin/cat", "/bin/ls", "/bin/id", "/bin/touch"}) add_program(file);
    std::ofstream(image / "etc/hosts") << "";
    fs::create_directories(root / "data");
    fs::create_directories(root / "config");
    std::ofstream(root / "config/greeting") << "hello";
    std::ofstream(root / "hosts") << "127.0.0.9 node";
    EXPECT_EQ(::chown((root / "data").c_str(), 61184, 61184), 0);
  }

  void add_program(const std::string& file) {
    fs::copy_file(fs::canonical(file), image / "bin" / fs::path(file).filename());
    const std::string list = (root / "libraries").string();
    ASSERT_EQ(std::system(fmt::format("ldd {} | grep -o '/[^ ]*' > {}", file, list).c_str()), 0);
    std::ifstream lines(list);
    for (std::string library; std::getline(lines, library);) {
      fs::create_directories((image / fs::path(library).relative_path()).parent_path());
      fs::copy_file(fs::canonical(library), image / fs::path(library).relative_path(), fs::copy_options::skip_existing);
    }
  }

  Launch in_image(const std::string& script) const {
    Launch plan = shell(script);
    plan.environment = {{"PATH", "/bin"}};
    plan.root = image.string();
    plan.uid = plan.gid = 61184;
    plan.restart = RestartWhen::never;
    plan.mounts = {{.kind = Mount::Kind::writable, .path = "berth/data", .source = (root / "data").string()},
                   {.kind = Mount::Kind::read_only, .path = "berth/config", .source = (root / "config").string()},
                   {.kind = Mount::Kind::file, .path = "etc/hosts", .source = (root / "hosts").string()},
                   {.kind = Mount::Kind::file, .path = "etc/resolv.conf", .source = (root / "no such file").string()}};
    return plan;
  }
  std::string run(const Launch& plan) {
    start_keeper();
    launch(plan);
    const State state = expect(Event::ended);
    EXPECT_EQ(state.last_exit.cause, Cause::exit) << describe_failure(static_cast<int>(state.last_exit.stage), state.last_exit.error, "it");
    std::string text;
    for (const auto& line : lines()) text += line.substr(line.find(" F ") + 3) + "\n";
    return text;
  }

  fs::path image;
};

TEST_F(ImageRoot, TheAppSeesItsImageAndWhatIsMountedAndNothingElse) {
  const std::string said = run(in_image("ls /; cat /berth/config/greeting /etc/hosts; echo; id -u; touch /berth/data/kept /tmp/x /run/y /dev/shm/z && echo written; "
                                        "ls /dev; cat /proc/self/mounts"));
  EXPECT_NE(said.find("berth\nbin\ndev\netc\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("home\n"), std::string::npos) << said;
  EXPECT_NE(said.find("hello127.0.0.9 node"), std::string::npos) << said;
  EXPECT_NE(said.find("61184\nwritten\n"), std::string::npos) << said;
  EXPECT_NE(said.find("null\n"), std::string::npos) << said;
  EXPECT_EQ(said.find(root.string() + "/slot"), std::string::npos) << "the old root is gone: " << said;
  EXPECT_TRUE(fs::exists(root / "data/kept"));
  EXPECT_TRUE(fs::is_empty(image / "tmp"));
  EXPECT_TRUE(fs::is_empty(image / "dev"));
}

// The same test, run where berth's own root is a folder entered by chroot(2), and not a mount.
TEST_F(ImageRoot, IsEnteredFromAChrootToo) {
  if (std::system("grep -q '^[^ ]* [^ ]* [^ ]* [^ ]* / ' /proc/self/mountinfo") != 0) GTEST_SKIP() << "these tests are in a chroot already";
  const std::string script = fmt::format(
      "mount -t tmpfs none /mnt && mkdir /mnt/root && cd / && for one in $(ls | grep -vx mnt); do "
      "if [ -L $one ]; then cp -P $one /mnt/root/; elif [ -d $one ]; then mkdir /mnt/root/$one && mount --rbind $one /mnt/root/$one || exit 1; fi; done; "
      "exec chroot /mnt/root {} --gtest_filter=ImageRoot.TheAppSees*:ImageRoot.EvenAsRoot*",
      fs::read_symlink("/proc/self/exe").string());
  const std::string log = (root / "chroot.log").string();
  EXPECT_EQ(std::system(fmt::format("unshare --mount sh -c '{}' > {} 2>&1", script, log).c_str()), 0) << std::ifstream(log).rdbuf();
}

TEST_F(ImageRoot, WhatIsToBeReadCannotBeWritten) {
  const std::string said = run(in_image("for f in /new /bin/new /berth/config/new /dev/new /etc/hosts; do (echo x > $f) 2>/dev/null && echo wrote $f; done; "
                                        "echo x > /dev/null && echo done; cat /nowhere > /dev/stderr; true"));
  EXPECT_EQ(said.find("wrote"), std::string::npos) << said;
  EXPECT_NE(said.find("done"), std::string::npos) << said;
}

TEST_F(ImageRoot, EvenAsRootTheSlotIsReadOnly) {
  Launch plan = in_image("(echo x > /bin/new) 2>/dev/null || echo refused");
  plan.uid = plan.gid = 0;
  EXPECT_EQ(run(plan), "refused\n");
}

TEST_F(ImageRoot, SocketsArePassedAsElsewhere) {
  std::uint16_t port = 0;
  const Fd socket = listener(&port);
  Launch plan = in_image("echo $LISTEN_FDS $LISTEN_FDNAMES; ls -l /proc/self/fd/3 > /dev/null && echo there");
  plan.sockets = {{"http", socket.get()}};
  EXPECT_EQ(run(plan), "1 http\nthere\n");
}

TEST_F(ImageRoot, AFileIsMountedAlsoWhereItsPathHasASpace) {
  fs::create_directories(image / "my etc");
  std::ofstream(image / "my etc/hosts") << "";
  Launch plan = in_image("cat '/my etc/hosts'");
  plan.mounts[2].path = "my etc/hosts";
  EXPECT_EQ(run(plan), "127.0.0.9 node\n");
}

TEST_F(ImageRoot, AMissingMountPointIsTold) {
  for (const auto& [missing, stage] : {std::pair("berth/data", Stage::mount_folder), {"dev", Stage::mount_dev}, {"run", Stage::mount_memory}, {"proc", Stage::mount_proc}}) {
    fs::remove(image / missing);
    start_keeper();
    launch(in_image("true"));
    const State state = expect(Event::ended);
    EXPECT_EQ(state.last_exit.cause, Cause::not_started);
    EXPECT_EQ(state.last_exit.stage, stage) << missing;
    EXPECT_EQ(state.last_exit.error, ENOENT);
    kill_one(keeper, SIGTERM);
    ASSERT_TRUE(wait_until([&] { return gone(); }, 5s));
    fs::create_directories(image / missing);
  }
}

TEST_F(ImageRoot, AMountPointThatIsASymlinkLeadsNowhere) {
  fs::create_directories(root / "outside");
  fs::remove(image / "berth/data");
  fs::create_symlink(root / "outside", image / "berth/data");
  start_keeper();
  launch(in_image("true"));
  const State state = expect(Event::ended);
  EXPECT_EQ(state.last_exit.stage, Stage::mount_folder);
  EXPECT_TRUE(fs::is_empty(root / "outside"));
}

}  // namespace
}  // namespace berth::keeper
