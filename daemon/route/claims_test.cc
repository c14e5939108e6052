#include <filesystem>
#include <fstream>

#include <fmt/core.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/route/port_owner.h"
#include "daemon/route/router_fixture.h"

namespace berth::route {
namespace {

class Claims : public RouterFixture, public testing::WithParamInterface<spec::Routing> {
 protected:
  Error refusal(const Public& wanted) {
    const auto claimed = claim(wanted);
    EXPECT_FALSE(claimed);
    return claimed ? Error{} : claimed.error();
  }
  const Public port = by(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Kinds, Claims, testing::Values(spec::Routing::socket, spec::Routing::port),
                         [](const auto& kind) { return std::string(kind.param == spec::Routing::socket ? "Socket" : "Port"); });

TEST_P(Claims, NameAnotherProgramThatListensThere) {
  for (const bool shared : {false, true}) {
    for (const std::string& address : {all_addresses(), std::string("127.0.0.1")}) {
      Fd listener = listen_at(address, port.port, shared);
      ASSERT_TRUE(listener);
      Server server(listener.get(), "foreign");
      listener.reset();
      const Error error = refusal(port);
      EXPECT_EQ(error.code, Errc::conflict);
      const auto expected = fmt::format("port 8080: daemon_route_te (pid {}) listens there", server.pid());
      EXPECT_NE(error.message.find(expected), std::string::npos) << error.message;
    }
  }
  ASSERT_OK(claim(port));
}

TEST_P(Claims, NameAnotherAppThatHasThePort) {
  ASSERT_OK(claim(port));
  ASSERT_OK(claim(port));
  const Public shop{.app = "shop", .process = "web", .port = port.port, .kind = GetParam()};
  const Error error = refusal(shop);
  EXPECT_EQ(error.code, Errc::conflict);
  EXPECT_NE(error.message.find("port 8080 of shop/web: the app web has it already"), std::string::npos) << error.message;
  ASSERT_OK(give_up(port));
  ASSERT_OK(claim(shop));
}

TEST_P(Claims, KeepOtherProgramsFromThePort) {
  ASSERT_OK(claim(port));
  EXPECT_FALSE(listen_at(all_addresses(), port.port));
  EXPECT_FALSE(listen_at("127.0.0.1", port.port));
  ASSERT_OK(give_up(port));
  EXPECT_TRUE(listen_at(all_addresses(), port.port));
}

TEST_P(Claims, AreNeededToServe) {
  const auto served = serve(port, {{.id = id("v1"), .private_port = 20001}});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code, Errc::internal);
  EXPECT_FALSE(router->listener(port, id("v1")));
  EXPECT_TRUE(give_up(port)) << "what is not claimed can be given up";
}

/// Runs in a process of its own: a berthd that may not touch the firewall claims a port. Tells by its exit status whether it was told what to do.
[[noreturn]] void claim_without_rights(const std::filesystem::path& run, const Public& port) {
  if (::unshare(CLONE_NEWNET) != 0) ::_exit(1);
  __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct rights[_LINUX_CAPABILITY_U32S_3]{};
  ::syscall(SYS_capset, &head, rights);
  io::Loop loop;
  io::Pool pool(1);
  Router router(loop.executor(), pool, run);
  const auto claimed = io::on_loop(loop, router.claim(port));
  const bool told = !claimed && claimed.error().code == Errc::usage && claimed.error().message.contains("CAP_NET_ADMIN; or use `socket`");
  ::_exit(told ? 0 : 1);
}

/// Without the fixture and its threads: what forks has one, or its child would inherit locks that nobody gives back.
TEST(WithoutNftables, SaysWhatToDoInstead) {
  const files::TemporaryDirectory folder;
  const pid_t berthd = ::fork();
  if (berthd == 0) claim_without_rights(folder.path(), {.app = "web", .process = "web", .port = 8080, .kind = spec::Routing::port});
  int status = -1;
  ASSERT_EQ(::waitpid(berthd, &status, 0), berthd);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

class ChangeOfKind : public RouterFixture {};

TEST_F(ChangeOfKind, MovesAnAppFromOneRoutingToTheOtherAndBackUnderLoad) {
  const Public by_socket = by(spec::Routing::socket), by_port = by(spec::Routing::port);
  ASSERT_OK(claim(by_socket));
  const Backend old{.id = id("v1")}, fresh{.id = id("v2"), .private_port = 20001};
  const auto listener = router->listener(by_socket, old.id);
  ASSERT_OK(listener);
  Server old_server(*listener, "v1");
  ASSERT_OK(serve(by_socket, {old}));
  Load load(8080);
  load.await(50);

  ASSERT_OK(claim(by_port));
  Server fresh_server(listen_at(all_addresses(), 20001).get(), "v2");
  for (int round = 0; round < 5; ++round) {
    ASSERT_OK(serve(by_port, {fresh}));
    EXPECT_EQ(ask("127.0.0.1", 8080), "v2");
    EXPECT_TRUE(router->serving(by_socket).empty());
    const auto probe = router->probe_endpoint(by_socket, old);
    EXPECT_EQ(ask(probe.address, probe.port, probe.from_address), "v1") << "its probe is not redirected";
    load.await(50);
    ASSERT_OK(serve(by_socket, {old}));
    EXPECT_EQ(ask(another_loopback(), 8080), "v1");
    load.await(50);
  }
  ASSERT_OK(serve(by_port, {fresh}));
  drain(by_socket, old, old_server.pid());
  old_server.stop();
  ASSERT_OK(router->close_listener(by_socket, old.id));
  ASSERT_OK(give_up(by_socket));
  load.await(50);
  EXPECT_EQ(router->serving(by_port), std::vector<Backend>{fresh}) << "giving one kind up leaves the other";
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  ASSERT_OK(give_up(by_port));
}

TEST(PortOwner, IsTheServiceAndNotSystemdWhichPassedItsSocket) {
  const files::TemporaryDirectory proc;
  const auto add = [&](const std::string& pid, const std::string& name, const std::string& socket) {
    std::filesystem::create_directories(proc.path() / pid / "fd");
    std::ofstream(proc.path() / pid / "comm") << name << "\n";
    std::filesystem::create_symlink(socket, proc.path() / pid / "fd/3");
  };
  add("1", "systemd", "socket:[77]");
  EXPECT_EQ(holder_of(77, proc.path()), "systemd (pid 1)");
  add("1234", "berthd", "socket:[77]");
  add("1235", "nginx", "socket:[78]");
  EXPECT_EQ(holder_of(77, proc.path()), "berthd (pid 1234)");
  EXPECT_EQ(holder_of(78, proc.path()), "nginx (pid 1235)");
}

TEST(PortOwner, SaysSoWhenProcDoesNotShowIt) { EXPECT_EQ(holder_of(4294967295u), "a program that /proc does not show"); }

}  // namespace
}  // namespace berth::route
