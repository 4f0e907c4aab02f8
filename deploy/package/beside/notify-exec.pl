# Connects systemd's notification socket, puts its number into HUBREC_NOTIFY_FD, and becomes the given command: no process stays behind.
use strict;
use warnings;
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);

my $path = $ENV{NOTIFY_SOCKET} // '';
if ($path ne '') {
    $path =~ s/^@/\0/;
    $^F = 1024;    # open files up to this number stay open in what comes after
    my $socket;
    if (socket($socket, AF_UNIX, SOCK_DGRAM, 0) && connect($socket, pack_sockaddr_un($path))) {
        # Nobody shall wait for systemd.
        fcntl($socket, F_SETFL, fcntl($socket, F_GETFL, 0) | O_NONBLOCK);
        $ENV{HUBREC_NOTIFY_FD} = fileno $socket;
        exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
    }
    warn "<4>no way to systemd's notification socket: $!\n";
}
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
