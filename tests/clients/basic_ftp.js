// basic_ftp.js MODULE HOST PORT USER PASSWORD VERSION explicit|implicit DOWN UP: takes all files of /down into the
// directory DOWN, and puts all files of the directory UP into /up. An empty VERSION leaves the choice to Node.

const [module_, host, port, user, password, version, way, down, up] = process.argv.slice(2);
const { Client } = require(module_);

async function move() {
    const client = new Client(10000);
    const versions = version ? { minVersion: version, maxVersion: version } : {};
    try {
        await client.access({
            host, port: Number(port), user, password,
            secure: way === "implicit" ? "implicit" : true,
            secureOptions: { rejectUnauthorized: false, ...versions },
        });
        await client.downloadToDir(down, "down");
        await client.uploadFromDir(up, "up");
    } finally {
        client.close();
    }
}

move().catch((error) => {
    console.error(error);
    process.exit(1);
});
