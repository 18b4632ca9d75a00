// commons_net HOST PORT USER PASSWORD VERSION explicit|implicit DOWN UP: takes all files of /down into the directory
// DOWN, and puts all files of the directory UP into /up. An empty VERSION leaves the choice to Java.

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPSClient;

public class commons_net {
    private static FTPSClient client;

    private static void must(boolean done) throws IOException {
        if (!done) throw new IOException(client.getReplyString());
    }

    public static void main(String[] given) throws Exception {
        client = new FTPSClient(given[5].equals("implicit"));
        if (!given[4].isEmpty()) client.setEnabledProtocols(new String[] {given[4]});
        client.setEndpointCheckingEnabled(false);
        client.connect(given[0], Integer.parseInt(given[1]));
        must(client.login(given[2], given[3]));
        client.execPBSZ(0);
        client.execPROT("P");
        client.enterLocalPassiveMode();
        must(client.setFileType(FTP.BINARY_FILE_TYPE));
        for (String name : client.listNames("down")) {
            String base = name.substring(name.lastIndexOf('/') + 1);
            try (OutputStream file = new FileOutputStream(new File(given[6], base))) {
                must(client.retrieveFile("down/" + base, file));
            }
        }
        for (File file : new File(given[7]).listFiles()) {
            try (InputStream octets = new FileInputStream(file)) {
                must(client.storeFile("up/" + file.getName(), octets));
            }
        }
        must(client.logout());
        client.disconnect();
    }
}
