# net_ftp.pl HOST PORT USER PASSWORD VERSION explicit|implicit DOWN UP: takes all files of /down into the directory
# DOWN, and puts all files of the directory UP into /up. An empty VERSION leaves the choice to IO::Socket::SSL.

use strict;
use warnings;
use Net::FTP;

my ($host, $port, $user, $password, $version, $way, $down, $up) = @ARGV;
my %tls = (SSL_verify_mode => 0);
$tls{SSL_version} = $version if $version;
$tls{SSL} = 1 if $way eq "implicit";
my $client = Net::FTP->new($host, Port => $port, Passive => 1, Timeout => 10, %tls) or die "no connection: $@";
if ($way eq "explicit") {
    $client->starttls or die "AUTH: ", $client->message;
}
$client->login($user, $password) or die "login: ", $client->message;
if ($way eq "implicit") {
    $client->prot("P") or die "PROT: ", $client->message;
}
$client->binary;
for my $name ($client->ls("down")) {
    $name =~ s{.*/}{};
    $client->get("down/$name", "$down/$name") // die "get $name: ", $client->message;
}
opendir(my $files, $up) or die "$up: $!";
for my $name (grep { -f "$up/$_" } readdir $files) {
    $client->put("$up/$name", "up/$name") // die "put $name: ", $client->message;
}
$client->quit;
